"""`immutable-base sign`."""

from __future__ import annotations

import argparse

from immutable_base.cli.run_stage import add_stage_arguments, run_stage_command


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_stage_arguments(parser)


def run(namespace: argparse.Namespace) -> int:
    """Push each image by digest and sign it."""
    return run_stage_command(namespace, "sign")
