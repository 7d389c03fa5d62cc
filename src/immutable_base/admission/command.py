"""The command `immutable-base-admission`, on a host."""

from __future__ import annotations

import argparse
import logging
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from immutable_base.admission.admit import Admitter
from immutable_base.admission.decide import explain
from immutable_base.admission.host import Host
from immutable_base.admission.settings import PLACES, load_settings
from immutable_base.errors import EXIT_INTERRUPTED, ImmutableBaseError, TooOldError, printable
from immutable_base.verification.deadline import SECONDS, Deadline
from immutable_base.verification.verify_image import moment

HOW_TO = (
    "https://gitlab.com/immutable-base/immutable-base/-/blob/main/"
    "docs/how-to/when-a-host-refuses-an-upgrade.md"
)
REFUSED = f"""\
Nothing was admitted: this host stays on the image that it has, and would refuse to pull another.
What to do: {HOW_TO}"""
PAST = 3600
"""Seconds that the host's clock may be behind the log's without a word."""


def main(arguments: Sequence[str] | None = None, host: Host | None = None) -> int:
    """Carry out a command and return its exit code; see docs/reference/exit-codes.md."""
    namespace = _parser().parse_args(arguments)
    logging.basicConfig(level=logging.DEBUG if namespace.verbose else logging.WARNING)
    try:
        _carry_out(namespace, host or Host())
    except ImmutableBaseError as error:
        print(f"error: {error}", file=sys.stderr)
        if is_about_time(error):
            print(f"hint: is the clock right? It says {moment(int(time.time()))}", file=sys.stderr)
        if namespace.command == "admit":
            print(REFUSED, file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        return EXIT_INTERRUPTED
    return 0


def is_about_time(error: ImmutableBaseError) -> bool:
    """Tell whether a wrong clock may be why a certificate is refused, or an image is too old."""
    words = error.details or ""
    return isinstance(error, TooOldError) or (
        "CERTIFICATE_VERIFY_FAILED" in words
        and ("not yet valid" in words or "has expired" in words)
    )


def _carry_out(namespace: argparse.Namespace, host: Host) -> None:
    admitter = Admitter(
        settings=load_settings(namespace.settings),
        environment=host.environment(),
        deadline=Deadline(seconds=namespace.timeout),
        clock=time.time,
    )
    match namespace.command:
        case "admit":
            _admit(admitter, namespace, host)
        case "list":
            _list(admitter, host)
        case _:
            for item in admitter.expire(host.deployed()):
                print(f"expired {item}")


def _admit(admitter: Admitter, namespace: argparse.Namespace, host: Host) -> None:
    reference = namespace.reference or host.followed()
    admission, proof = admitter.admit(reference, allow_older=namespace.allow_older)
    print(printable(explain(admission, admitter.settings.signer, proof)))
    behind = admission.signed_at - admission.admitted_at
    if behind > PAST:
        print(
            f"warning: the clock of this host is at least {behind // 60} minutes behind the log's",
            file=sys.stderr,
        )


def _list(admitter: Admitter, host: Host) -> None:
    deployed = host.deployed() or frozenset()
    with admitter.lookaside() as lookaside:
        found = lookaside.admissions()
    for item in sorted(found, key=lambda item: (item.reference, -item.signed_at)):
        note = ", deployed" if item.digest in deployed else ""
        print(f"{item}, admitted {moment(item.admitted_at)}{note}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="immutable-base-admission",
        description="Verify who built the image that this host would pull, and admit exactly that.",
    )
    parser.add_argument(
        "--settings", type=Path, metavar="FILE", help=f"default: {' or '.join(map(str, PLACES))}"
    )
    parser.add_argument(
        "--timeout", type=_seconds, default=SECONDS, metavar="SECONDS",
        help="for the whole, the wait for another admission included (default: %(default)g)",
    )  # fmt: skip
    parser.add_argument("-v", "--verbose", action="store_true", help="each request, on stderr")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    admit = commands.add_parser("admit", help="verify an image, and let this host pull it")
    admit.add_argument(
        "reference", nargs="?", help="registry/path:tag (default: what bootc follows)"
    )
    admit.add_argument(
        "--allow-older", action="store_true",
        help="take an image that was signed before one that this host has admitted",
    )  # fmt: skip
    commands.add_parser("list", help="what is admitted")
    commands.add_parser("expire", help="remove what no deployment needs any more")
    return parser


def _seconds(text: str) -> float:
    value = float(text)
    if not 0 < value <= 3600:
        raise argparse.ArgumentTypeError("more than 0 and at most 3600 seconds")
    return value
