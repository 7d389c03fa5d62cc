"""Parse, call one command, turn its error into a message and an exit code.

Only the chosen command's module is imported, so that `--help` is quick. Each command module has
`add_arguments(parser)` and `run(namespace) -> int`.
"""

from __future__ import annotations

import argparse
import difflib
import importlib
import sys
import traceback
from collections.abc import Iterable, Mapping, Sequence
from importlib.metadata import entry_points
from typing import NoReturn

from immutable_base.errors import (
    EXIT_INTERRUPTED,
    ConfigurationError,
    ImmutableBaseError,
    exit_code_of,
    host_error,
)

COMMANDS = {
    "plan": "decide on kernels, modules and packages; build nothing",
    "run": "plan, build, check, sign, verify and publish every variant",
    "verify": "verify an image's signature and SBOM attestation",
    "doctor": "list what this host lacks, and how to get it",
    "tools": "build cosign and syft, which no distribution packages, from pinned sources",
}
PLUGINS = "immutable_base.commands"
"""Entry points of other distributions: each names a package with `SUMMARY` and a module `cli`."""


class Parser(argparse.ArgumentParser):
    """argparse, with errors in our own form."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting, so that `main` is the one place that reports."""
        raise ConfigurationError(message, hint=f"see `{self.prog} --help`")


def all_commands() -> dict[str, tuple[str, str]]:
    """Return the summary and the module of every command, those of other distributions last."""
    found = {name: (summary, f"immutable_base.cli.{name}") for name, summary in COMMANDS.items()}
    for entry in sorted(entry_points(group=PLUGINS)):
        found[entry.name] = (str(entry.load().SUMMARY), f"{entry.module}.cli")
    return found


def build_parser(
    commands: Mapping[str, tuple[str, str]], selected: Iterable[str]
) -> argparse.ArgumentParser:
    """Return the parser of `commands`, with the arguments of the selected ones filled in."""
    parser = Parser(
        prog="immutable-base",
        description="Nightly, signed, immutable bootc images with kernel modules compiled ahead.",
        epilog="Exit codes: docs/reference/exit-codes.md",
        allow_abbrev=False,
    )
    parsers = parser.add_subparsers(dest="command", metavar="COMMAND", title="commands")
    wanted = set(selected)
    for name, (summary, path) in commands.items():
        command = parsers.add_parser(name, help=summary, description=summary, allow_abbrev=False)
        if name in wanted:
            module = importlib.import_module(path)
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
        return exit_code_of(error)


def _dispatch(arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    commands = all_commands()
    if name and name not in commands:
        near = difflib.get_close_matches(name, commands, n=1)
        raise ConfigurationError(
            f"there is no command '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""),
            hint="see `immutable-base --help`",
        )
    parser = build_parser(commands, [name])
    namespace = parser.parse_args(arguments, argparse.Namespace(arguments=tuple(arguments)))
    if not name:
        parser.print_help()
        return 0
    code: int = namespace.run(namespace)
    return code
