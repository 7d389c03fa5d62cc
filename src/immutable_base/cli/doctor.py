"""`immutable-base doctor`."""

from __future__ import annotations

import argparse

from immutable_base.cli.options import add_context_arguments, make_context, write_result
from immutable_base.doctor import examine
from immutable_base.errors import HostError
from immutable_base.log import log_to_terminal
from immutable_base.report.doctor import requirements_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_context_arguments(parser)


def run(namespace: argparse.Namespace) -> int:
    """Print one line for each thing that a run needs of this host."""
    log_to_terminal(verbose=namespace.verbose)
    requirements = examine(make_context(namespace))
    write_result(requirements_text(requirements), None)
    return 0 if all(requirement.ok for requirement in requirements) else HostError.exit_code
