"""Parse, call one command, turn its error into words and an exit code.

Only the chosen command's module is imported, so that `--help` is quick. Each command module has
`add_arguments(parser)` and `run(namespace) -> int`.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
import traceback
from collections.abc import Iterable, Sequence
from typing import NoReturn

from immutable_base.errors import ConfigurationError, ImmutableBaseError, host_error

COMMANDS = {
    "plan": "decide kernels, modules and packages; build nothing",
    "run": "one night: plan, build, check, sign, verify and publish every variant",
    "verify": "check an image's signature and SBOM as anybody can",
    "lab": "everything remote on loopback: repositories, bases, registry, signing services",
    "doctor": "say what this host lacks, and how to get it",
}
EXIT_BUG = 1
EXIT_INTERRUPTED = 130


class Parser(argparse.ArgumentParser):
    """argparse, with errors in our own form."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting, so that `main` is the one place that reports."""
        raise ConfigurationError(message, hint=f"see `{self.prog} --help`")


def build_parser(selected: Iterable[str]) -> argparse.ArgumentParser:
    """Return the parser, with the arguments of the selected commands filled in."""
    parser = Parser(
        prog="immutable-base",
        description="Nightly, signed, immutable bootc images with kernel modules compiled ahead.",
        epilog="Exit codes: docs/reference/exit-codes.md",
        allow_abbrev=False,
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    wanted = set(selected)
    for name, words in COMMANDS.items():
        command = commands.add_parser(name, help=words, description=words, allow_abbrev=False)
        if name in wanted:
            module = importlib.import_module(f"immutable_base.cli.{name}")
            module.add_arguments(command)
            command.set_defaults(run=module.run)
    return parser


def main(arguments: Sequence[str]) -> int:
    """Run one command and return its exit code."""
    try:
        return _dispatch(arguments)
    except ImmutableBaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_INTERRUPTED
    except Exception as error:  # noqa: BLE001  the last resort: a bug must not look like anything else
        refused = host_error(error) if isinstance(error, OSError) else None
        if refused is not None:
            print(f"error: {refused}", file=sys.stderr)
            return refused.exit_code
        traceback.print_exc()
        print(
            "error: this is a bug in immutable-base; please report the lines above", file=sys.stderr
        )
        return EXIT_BUG


def _dispatch(arguments: Sequence[str]) -> int:
    words = [word for word in arguments if not word.startswith("-")]
    name = words[0] if words and not arguments[0].startswith("-") else ""
    if name and name not in COMMANDS:
        near = difflib.get_close_matches(name, COMMANDS, n=1)
        raise ConfigurationError(
            f"there is no command '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""),
            hint="see `immutable-base --help`",
        )
    parser = build_parser([name])
    namespace = parser.parse_args(arguments)
    if not name:
        parser.print_help()
        return 0
    code: int = namespace.run(namespace)
    return code
