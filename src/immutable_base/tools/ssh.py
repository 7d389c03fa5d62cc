"""OpenSSH's client: a key for one boot, and one command on a machine that trusts it."""

from __future__ import annotations

import socket
from pathlib import Path

from immutable_base.errors import CommandError
from immutable_base.process import Command, Runner
from immutable_base.tools.limits import QUICK

ATTEMPT = 15.0
"""Seconds for one attempt; a machine without KVM takes some to agree on keys."""


def make_key(run: Runner, path: Path) -> str:
    """Make a key pair without passphrase; return the public key's line."""
    argv = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "immutable-base boot", "-f")
    run(Command(argv=(*argv, str(path)), timeout=QUICK))
    return path.with_name(f"{path.name}.pub").read_text().strip()


def free_port() -> int:
    """Return a port of this host's loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number: int = listener.getsockname()[1]
        return number


def tell(run: Runner, key: Path, port: int, command: str) -> bool:
    """Run a command on the machine behind a port of this host; tell whether it succeeded.

    The machine was made a moment ago, so its host key is not known and not looked at.
    """
    options = (
        "BatchMode=yes", "StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR", f"ConnectTimeout={ATTEMPT:.0f}",
    )  # fmt: skip
    argv = (
        "ssh", "-F", "none", "-i", str(key), "-p", str(port),
        *(word for option in options for word in ("-o", option)),
        "root@127.0.0.1", command,
    )  # fmt: skip
    try:
        run(Command(argv=argv, timeout=ATTEMPT * 2))
    except CommandError:
        return False
    return True
