"""`immutable-base keys`: look at the keys that sign packages, before they are trusted."""

from __future__ import annotations

import argparse
import re

from immutable_base.cli.make_context import make_context
from immutable_base.cli.options import add_context_arguments
from immutable_base.config.load import load_settings
from immutable_base.errors import RemoteError, VerificationError
from immutable_base.keys.answers import MAY_MISS, require_fit
from immutable_base.keys.check import check_key
from immutable_base.keys.pin import pin_key
from immutable_base.process import heed_interrupts
from immutable_base.report.keys import key_text, keys_text


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the command's actions and their options."""
    actions = parser.add_subparsers(dest="action", metavar="ACTION", title="actions", required=True)
    listing = "list every key with its pin, its places and what it signs; fetch nothing"
    add_context_arguments(actions.add_parser("list", help=listing, description=listing))
    checking = "fetch a key from all its places, and show what speaks for and against it"
    check = actions.add_parser("check", help=checking, description=checking)
    check.add_argument("name", metavar="NAME", help="key under `keys` in the configuration")
    check.add_argument(
        "--package",
        metavar="PACKAGE",
        help="also verify the newest package of this name in the repositories of the key",
    )
    check.add_argument(
        "--fingerprint",
        metavar="HEX",
        type=_fingerprint,
        help="which key is meant, where a file has several",
    )
    check.add_argument(
        "--pin",
        action="store_true",
        help="write the fingerprint into the configuration, if everything fits",
    )
    check.add_argument(
        "--despite",
        action="append",
        default=[],
        choices=MAY_MISS,
        help="pin it although this does not fit; may be repeated",
    )
    add_context_arguments(check)


def _fingerprint(text: str) -> str:
    """Read a fingerprint as people copy it: in groups, in small letters."""
    found = "".join(text.split()).removeprefix("0x").upper()
    if re.fullmatch("[0-9A-F]{40}", found) is None:
        raise argparse.ArgumentTypeError(f"{text!r} is not 40 hexadecimal digits")
    return found


def run(namespace: argparse.Namespace) -> int:
    """Print what is known; exit with 12 if anything does not fit, with 6 if no place answers.

    With `--pin` what does not fit is an error, unless it was named; the exit code is 0 then.
    """
    if namespace.action == "list":
        print(keys_text(load_settings(namespace.config.resolve())), end="")
        return 0
    heed_interrupts()
    context = make_context(namespace)
    with context.open_plan_inputs() as inputs:
        report = check_key(
            inputs.metadata,
            inputs.settings,
            namespace.name,
            fingerprint=namespace.fingerprint,
            package=namespace.package,
        )
    print(key_text(report), end="")
    if all(answer.error is not None for answer in report.places):
        return RemoteError.exit_code
    if not namespace.pin:
        return 0 if all(item.ok for item in report.findings) else VerificationError.exit_code
    require_fit(report.findings, namespace.despite)
    if report.found is not None:  # else it did not fit
        pin_key(context.config_path, report.name, report.found.fingerprint)
        print(f"\npinned: keys.{report.name}.fingerprint = {report.found.fingerprint}")
    return 0
