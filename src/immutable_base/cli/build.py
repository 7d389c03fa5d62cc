"""`immutable-base build`: kmod packages, images, and their OCI layouts."""

from __future__ import annotations

import argparse

from immutable_base.cli.options import add_candidate_argument
from immutable_base.cli.run_stage import add_stage_arguments, run_stage_command
from immutable_base.errors import ConfigurationError
from immutable_base.run.single import Selection


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
    parser.add_argument(
        "--kernel-of",
        metavar="VARIANT",
        help="with --module: only for this variant's kernel, and nothing if an earlier variant "
        "needs the same package: a machine for each variant then compiles nothing twice",
    )
    add_candidate_argument(parser, "`registry.candidates`")


def run(namespace: argparse.Namespace) -> int:
    """Build one module, some variants from given packages, or everything that the plan builds."""
    if namespace.module and namespace.variant:
        raise ConfigurationError(
            "--module and --variant exclude each other", hint="first the modules, then the variants"
        )
    for option in ("kernel", "kernel_of"):
        if getattr(namespace, option) and not namespace.module:
            raise ConfigurationError(f"--{option.replace('_', '-')} belongs to --module")
    if namespace.kernel and namespace.kernel_of:
        raise ConfigurationError("--kernel and --kernel-of exclude each other")
    if namespace.candidate and namespace.module:
        raise ConfigurationError(
            "--candidate is about images, --module makes none",
            hint="kmod packages travel as files: tonight/modules/",
        )
    selection = Selection(
        module=namespace.module,
        kernel=namespace.kernel,
        kernel_of=namespace.kernel_of,
        candidate=namespace.candidate,
    )
    return run_stage_command(namespace, "build", selection)
