"""OpenSSH's client: a key for one boot, and one command on a machine that trusts it."""

from __future__ import annotations

import socket
from pathlib import Path

from immutable_base.errors import CommandError
from immutable_base.process import Command, Runner
from immutable_base.tools.limits import QUICK

ATTEMPT = 15.0
"""Seconds for one attempt; a machine without KVM takes some to agree on keys."""


def kept_key(run: Runner, path: Path) -> str:
    """Return the public key of the pair at `path`, which is made without passphrase if need be.

    One for all boots of a machine: systemd writes the key of the first into root's account, and no
    other after it. Source: tmpfiles.d/provision.conf of systemd.
    """
    public = path.with_name(f"{path.name}.pub")
    if path.exists() and public.exists():
        return public.read_text().strip()
    path.unlink(missing_ok=True)
    argv = ("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "immutable-base boot", "-f")
    run(Command(argv=(*argv, str(path)), timeout=QUICK))
    return public.read_text().strip()


def free_port() -> int:
    """Return a port of this host's loopback that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        number: int = listener.getsockname()[1]
        return number


def login(key: Path, port: int, *, known_hosts: Path | None = None) -> tuple[str, ...]:
    """Return the command that logs in as root on the machine behind a port of this host.

    `known_hosts`: the file that remembers its host key from the first time on. Without one it is
    not looked at: the machine was made a moment ago.
    """
    options = (
        "BatchMode=yes",
        f"StrictHostKeyChecking={'accept-new' if known_hosts else 'no'}",
        f"UserKnownHostsFile={known_hosts or '/dev/null'}",
        # Its port is another at each start.
        *(("HostKeyAlias=machine",) if known_hosts else ()),
        "LogLevel=ERROR",
        f"ConnectTimeout={ATTEMPT:.0f}",
    )
    return (
        "ssh", "-F", "none", "-i", str(key), "-p", str(port),
        *(word for option in options for word in ("-o", option)),
        "root@127.0.0.1",
    )  # fmt: skip


def tell(run: Runner, key: Path, port: int, command: str) -> bool:
    """Run a command on a machine that was made a moment ago; tell whether it succeeded."""
    try:
        run(Command(argv=(*login(key, port), command), timeout=ATTEMPT * 2))
    except CommandError:
        return False
    return True
