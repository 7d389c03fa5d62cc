"""`immutable-base doctor`."""

from __future__ import annotations

import argparse

from immutable_base.cli.options import add_context_arguments, make_context
from immutable_base.doctor import examine
from immutable_base.errors import HostError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_context_arguments(parser)


def run(namespace: argparse.Namespace) -> int:
    """Print one line for each thing that a night needs."""
    findings = examine(make_context(namespace))
    for finding in findings:
        mend = "" if finding.ok else f": {finding.mend}"
        print(f"{'ok     ' if finding.ok else 'MISSING'} {finding.name} ({finding.why}){mend}")
    return 0 if all(finding.ok for finding in findings) else HostError.exit_code
