"""`immutable-base build`: kmod packages, images, and their OCI layouts."""

from __future__ import annotations

import argparse

from immutable_base.cli.run_stage import add_stage_arguments, run_stage_command
from immutable_base.errors import ConfigurationError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_stage_arguments(parser)
    parser.add_argument(
        "--module",
        metavar="NAME",
        help="compile only this module's packages; `--variant` then takes them as they are",
    )
    parser.add_argument(
        "--kernel",
        metavar="RELEASE",
        help="with --module: only for this kernel, as `uname -r` prints it",
    )


def run(namespace: argparse.Namespace) -> int:
    """Build one module, some variants from given packages, or everything that the plan builds."""
    if namespace.module and namespace.variant:
        raise ConfigurationError(
            "--module and --variant exclude each other", hint="first the modules, then the variants"
        )
    if namespace.kernel and not namespace.module:
        raise ConfigurationError("--kernel belongs to --module")
    return run_stage_command(namespace, "build", module=namespace.module, kernel=namespace.kernel)
