"""Options that several commands share, and what they mean."""

from __future__ import annotations

import argparse
import os
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from immutable_base.errors import HostError
from immutable_base.state import default_workspace

NARROWEST = 120
"""Columns; a table is not squeezed further when the terminal is narrower, or a file."""
UNSEEN = 132
"""Columns of the table of a run where there is no terminal, as in a job's log: it is whole then."""


def add_context_arguments(parser: argparse.ArgumentParser) -> None:
    """Add what every command that works on a configuration takes."""
    add_config_argument(parser)
    parser.add_argument(
        "--workspace",
        metavar="FOLDER",
        type=_place,
        default=Path(os.environ.get("IMMUTABLE_BASE_WORKSPACE") or default_workspace()),
        help="folder to work in (default: $IMMUTABLE_BASE_WORKSPACE; in a GitLab job below "
        "$CI_PROJECT_DIR; else below $XDG_STATE_HOME)",
    )
    parser.add_argument(
        "-v",
        "--verbose",
        action="store_true",
        help="show every program that is started, and its output",
    )


def add_config_argument(parser: argparse.ArgumentParser) -> None:
    """Add the configuration alone."""
    parser.add_argument(
        "--config",
        metavar="FILE",
        type=_place,
        default=Path(os.environ.get("IMMUTABLE_BASE_CONFIG") or "immutable-base.toml"),
        help="configuration file (default: $IMMUTABLE_BASE_CONFIG, else ./immutable-base.toml)",
    )


def add_variant_argument(parser: argparse.ArgumentParser) -> None:
    """Add `--variant`, to be given once for each."""
    parser.add_argument(
        "--variant",
        action="append",
        default=[],
        metavar="NAME",
        help="limit to this variant; may be repeated",
    )


def add_checkout_argument(parser: argparse.ArgumentParser, what: str) -> None:
    """Add the folder that a command works on: a checkout of `what`."""
    parser.add_argument(
        "folder",
        metavar="DIR",
        nargs="?",
        default=Path(),
        type=Path,
        help=f"checkout of {what} (default: here)",
    )


def add_candidate_argument(parser: argparse.ArgumentParser, where: str) -> None:
    """Add `--candidate`, which leaves what was built in the repository `where`."""
    parser.add_argument(
        "--candidate",
        action="store_true",
        help=f"push what is built by digest to {where}, where later stages on other machines "
        "fetch it; nothing is published",
    )


def add_output_arguments(
    parser: argparse.ArgumentParser, *, formats: Sequence[str] = ("text", "json")
) -> None:
    """Add the format of the result and where it goes."""
    parser.add_argument(
        "--format",
        choices=tuple(formats),
        default="text",
        help="format of the result (default: text)",
    )
    parser.add_argument(
        "--output",
        type=_output_file,
        metavar="FILE",
        help="write the result to this file instead of standard output",
    )


def add_unsigned_argument(parser: argparse.ArgumentParser) -> None:
    """Add what lets modules be unsigned although a certificate is configured."""
    parser.add_argument(
        "--unsigned",
        action="store_true",
        default=os.environ.get("IMMUTABLE_BASE_UNSIGNED") == "true",
        help="do not sign modules although `module_signing` is configured; images say so in a "
        "label, and hosts with Secure Boot refuse them (default: if $IMMUTABLE_BASE_UNSIGNED is "
        "`true`)",
    )


def add_workers_argument(parser: argparse.ArgumentParser) -> None:
    """Add how many steps run at once."""
    parser.add_argument(
        "--workers",
        type=_positive,
        default=2,
        metavar="N",
        help="steps to run in parallel (default: 2)",
    )


def _positive(text: str) -> int:
    if re.fullmatch("[1-9][0-9]{0,3}", text) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to 9999")
    return int(text)


def wants_colour(output: Path | None) -> bool:
    """Tell whether the result is for a terminal whose user wants colour. Source: no-color.org."""
    return output is None and sys.stdout.isatty() and "NO_COLOR" not in os.environ


def write_result(text: str, output: Path | None) -> None:
    """Print the result, or write it to the file that was asked for.

    A file is replaced as a whole; what is none, such as /dev/null, is written to. Raises HostError.
    """
    whole = text if text.endswith("\n") else text + "\n"
    if output is None:
        sys.stdout.write(whole)
        return
    from immutable_base.workspace import write_atomically  # noqa: PLC0415  most need no file

    try:
        if output.exists() and not output.is_file():
            output.write_text(whole)
        else:
            write_atomically(output.resolve(), whole)
    except OSError as error:
        raise HostError(
            f"the result cannot be written to {output}: {error.strerror}",
            hint="name another file with --output",
        ) from error


def _place(text: str) -> Path:
    """Read the name of a file or folder."""
    if not text:
        raise argparse.ArgumentTypeError("it is empty")
    return Path(text)


def _output_file(text: str) -> Path:
    """Read the name of a file that can be written, as far as that can be told beforehand."""
    path = _place(text)
    if path.is_dir():
        raise argparse.ArgumentTypeError(f"{path} is a folder")
    above = next(parent for parent in path.absolute().parents if parent.exists())
    if not above.is_dir():
        raise argparse.ArgumentTypeError(f"{above} is no folder")
    return path
