"""`immutable-base attest`."""

from __future__ import annotations

import argparse

from immutable_base.cli.run_stage import add_stage_arguments, run_stage_command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_stage_arguments(parser)


def run(namespace: argparse.Namespace) -> int:
    """Attest SBOM and provenance of each image that was pushed."""
    return run_stage_command(namespace, "attest")
