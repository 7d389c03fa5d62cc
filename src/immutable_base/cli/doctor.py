"""`immutable-base doctor`."""

from __future__ import annotations

import argparse

from immutable_base import process
from immutable_base.cli.options import add_context_arguments, add_output_arguments, write_result
from immutable_base.config.load import load_settings
from immutable_base.doctor import examine
from immutable_base.errors import HostError
from immutable_base.log import log_to_terminal
from immutable_base.report.doctor import requirements_json, requirements_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_context_arguments(parser)
    add_output_arguments(parser)


def run(namespace: argparse.Namespace) -> int:
    """Report each thing that a run needs of this host; exit with 0 if all are there."""
    log_to_terminal(verbose=namespace.verbose)
    settings = load_settings(namespace.config.resolve())
    requirements = examine(process.run, namespace.workspace.resolve(), settings.minimum_free_gib)
    report = requirements_json if namespace.format == "json" else requirements_text
    write_result(report(requirements), namespace.output)
    return 0 if all(requirement.ok for requirement in requirements) else HostError.exit_code
