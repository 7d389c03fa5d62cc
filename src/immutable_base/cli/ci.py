"""`immutable-base ci`: the jobs of the nightly pipeline, for GitLab."""

from __future__ import annotations

import argparse
from pathlib import Path

from immutable_base.cli.options import add_config_argument, write_result
from immutable_base.config.load import load_settings
from immutable_base.errors import ConfigurationError
from immutable_base.pipeline import pipeline_jobs


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's options."""
    add_config_argument(parser)
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FILE",
        help="write the jobs to this file instead of standard output; .gitlab-ci.yml includes "
        "ci/variants.yml",
    )
    parser.add_argument(
        "--check",
        type=Path,
        metavar="FILE",
        help="write nothing; end with exit code 2 if this file is not what would be written",
    )


def run(namespace: argparse.Namespace) -> int:
    """Write the jobs, or compare them with a file."""
    text = pipeline_jobs(load_settings(namespace.config.resolve()))
    if namespace.check is None:
        write_result(text, namespace.output)
    elif not namespace.check.is_file() or namespace.check.read_bytes() != text.encode():
        raise ConfigurationError(
            f"{namespace.check} has not the jobs of {namespace.config}",
            hint=f"immutable-base ci --output {namespace.check}",
        )
    return 0
