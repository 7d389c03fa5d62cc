"""Parse, call one command, turn its error into a message and an exit code.

Only the chosen command's module is imported, so that `--help` is quick. Each command module has
`add_arguments(parser)` and `run(namespace) -> int`.
"""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import NoReturn

from immutable_base.cli.contained import must_be_contained, run_again_contained
from immutable_base.errors import (
    EXIT_INTERRUPTED,
    ConfigurationError,
    HostError,
    ImmutableBaseError,
    exit_code_of,
    host_error,
)

COMMANDS = {
    "init": "write a configuration and the layers, to be edited",
    "plan": "decide on kernels, modules and packages; build nothing",
    "build": "build kmod packages and images of the saved plan, and export the images",
    "inspect": "read what is in built images",
    "check": "check what was read from images against the plan",
    "sbom": "write the SBOM of built images",
    "boot": "start built images as machines, and require what was promised of them",
    "sign": "push built images by digest and sign them; no tag moves",
    "attest": "attest SBOM and provenance of what was pushed; no tag moves",
    "publish": "push, sign, attest, verify, and only then move the tags",
    "report": "tell how each variant of a run ended, from its documents",
    "run": "all of these at once, from the plan to the tags",
    "instance": "build, check, sign and publish a repository downstream, on one of our images",
    "verify": "verify an image's signature and SBOM attestation",
    "registry": "list what may go from the registry, and why the rest stays; delete it",
    "policy": "show, lint, try and change what images say about whose images hosts take",
    "keys": "show the keys that sign packages; look at one and pin it",
    "trust": "show whom a verification trusts, or update it",
    "ci": "write the jobs of the nightly pipeline for GitLab",
    "ci-image": "build, check, sign and publish the image that the pipeline's jobs run in",
    "doctor": "list what this host lacks, and how to get it",
    "tools": "build cosign and syft, which no distribution packages, from pinned sources",
}
CONTAINED = frozenset({"plan", "build", "inspect", "sbom", "boot", "publish", "run"})
"""Commands that always mount images: see `cli.contained`."""
CONTAINED_ACTIONS = {
    "instance": frozenset({"build", "check", "sbom", "publish"}),
    "ci-image": frozenset({"build", "check", "sbom"}),
    "policy": frozenset({"lint", "test"}),
}
"""Actions of other commands that do."""
EXIT_CODES = (
    "Exit codes: 0 done, 2 arguments or configuration, 3 held, 4 this host, 5 a program failed, "
    "6 a service failed, 10 an image is not sound, 12 to 16 not verified, 130 interrupted."
)
HELP = frozenset({"-h", "--help"})
VERSION = "--version"
PLUGINS = "immutable_base.commands"
"""Entry points of other distributions: each names a package with `SUMMARY` and a module `cli`."""
ELSEWHERE = {
    "lab": "the lab is a distribution of its own, of a checkout: `make setup` there installs it",
}
"""Commands of distributions that are not installed here: how to get them."""


class Parser(argparse.ArgumentParser):
    """argparse, with errors in our own form."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of exiting, so that `main` is the one place that reports."""
        raise ConfigurationError(message, hint=f"see `{self.prog} --help`")


def own_commands() -> dict[str, tuple[str, str]]:
    """Return the summary and the module of each command of this distribution."""
    return {
        name: (summary, f"immutable_base.cli.{name.replace('-', '_')}")
        for name, summary in COMMANDS.items()
    }


def all_commands() -> dict[str, tuple[str, str]]:
    """Return the summary and the module of every command, those of other distributions last."""
    # Its import takes half the time of `--help`; a command of our own needs none of it.
    from importlib.metadata import entry_points  # noqa: PLC0415  see above

    found = own_commands()
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
        epilog=EXIT_CODES,
        allow_abbrev=False,
    )
    parser.add_argument(VERSION, action="store_true", help="show the version and exit")
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
        refused = host_error(error) or _missing_module(error)
        if refused is not None:
            print(f"error: {refused}", file=sys.stderr)
            return refused.exit_code
        sys.excepthook(type(error), error, error.__traceback__)
        print(
            "error: this is a bug in immutable-base; please report the lines above", file=sys.stderr
        )
        return exit_code_of(error)


def _dispatch(arguments: Sequence[str]) -> int:
    name = arguments[0] if arguments and not arguments[0].startswith("-") else ""
    if _mounts_images(arguments) and HELP.isdisjoint(arguments) and must_be_contained():
        # The command's own module is imported there only.
        return run_again_contained(arguments)
    if list(arguments[:1]) == [VERSION]:
        print(f"immutable-base {_version()}")
        return 0
    commands = own_commands() if name in COMMANDS else all_commands()
    if name and name not in commands:
        raise _unknown(name, commands)
    if name:  # What the others are called is for the help of all of them.
        commands = {name: commands[name]}
    parser = build_parser(commands, [name])
    namespace = parser.parse_args(arguments)
    namespace.arguments = arguments
    if not name:
        parser.print_help()
        return 0
    from immutable_base.log import log_to_terminal  # noqa: PLC0415  no help needs it

    log_to_terminal(verbose=getattr(namespace, "verbose", False))
    code: int = namespace.run(namespace)
    return code


def _mounts_images(arguments: Sequence[str]) -> bool:
    name, action = (*arguments[:2], "", "")[:2]
    as_host = name == "verify" and "--as-host" in arguments
    return as_host or name in CONTAINED or action in CONTAINED_ACTIONS.get(name, ())


def _version() -> str:
    from importlib import metadata  # noqa: PLC0415  slow, and for `--version` only

    try:
        return metadata.version("immutable-base")
    except metadata.PackageNotFoundError as error:
        raise HostError(
            "immutable-base is not installed here, only its files are: they have no version",
            hint=f"`{sys.executable} -m pip install -e .` in the checkout",
        ) from error


def _missing_module(error: Exception) -> HostError | None:
    from immutable_base.cli.missing_module import (  # noqa: PLC0415  for this mistake only
        missing_module,
    )

    return missing_module(error)


def _unknown(name: str, commands: Iterable[str]) -> ConfigurationError:
    import difflib  # noqa: PLC0415  for this mistake only

    near = difflib.get_close_matches(name, commands, n=1)
    return ConfigurationError(
        f"there is no command '{name}'" + (f"; did you mean '{near[0]}'?" if near else ""),
        hint=ELSEWHERE.get(name, "see `immutable-base --help`"),
    )
