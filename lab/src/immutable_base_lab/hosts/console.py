"""Sitting at a host's serial console: this terminal and its socket, byte by byte."""

from __future__ import annotations

import contextlib
import os
import select
import socket
import sys
import termios
import tty
from collections.abc import Iterator

from immutable_base.errors import HostError
from immutable_base.workspace import take
from immutable_base_lab.hosts.decide import require_running
from immutable_base_lab.hosts.folder import HostFolder

DETACH = b"\x1d"
"""Ctrl-]: as telnet and `virsh console` have it."""
SHOWN = 2000
"""Bytes of what the console has shown so far, to begin with."""


def before_detach(typed: bytes) -> tuple[bytes, bool]:
    """Return what is for the host, and whether the detach key followed."""
    head, key, _ = typed.partition(DETACH)
    return head, bool(key)


def attach(host: HostFolder) -> None:
    """Connect this terminal with a host's console until the detach key, or the machine's end.

    Raises HostError if it does not run, if somebody sits there, or without a terminal.
    """
    require_running(host.name, host.pid)
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise HostError(
            "a console needs a terminal",
            hint=f"what it has shown is in {host.console}; a command: "
            f"`immutable-base lab host ssh {host.name} COMMAND`",
        )
    with _alone(host), socket.socket(socket.AF_UNIX) as connection, _raw(sys.stdin.fileno()):
        connection.connect(str(host.console_socket))
        os.write(sys.stdout.fileno(), host.console.read_bytes()[-SHOWN:])
        relay(sys.stdin.fileno(), sys.stdout.fileno(), connection)


def relay(keyboard: int, screen: int, connection: socket.socket) -> None:
    """Pass bytes both ways until the detach key is typed or one side has ended."""
    while True:
        ready, _, _ = select.select([keyboard, connection.fileno()], [], [])
        if connection.fileno() in ready:
            shown = connection.recv(65536)
            if not shown:
                return
            os.write(screen, shown)
        if keyboard in ready:
            typed = os.read(keyboard, 65536)
            wanted, detach = before_detach(typed)
            connection.sendall(wanted)
            if detach or not typed:
                return


@contextlib.contextmanager
def _alone(host: HostFolder) -> Iterator[None]:
    """QEMU lets the second one wait without a word."""
    with (host.path / "console.lock").open("w") as lock:
        try:
            take(lock)
        except BlockingIOError as error:
            raise HostError(
                f"somebody sits at the console of `{host.name}`",
                hint=f"log in beside: `immutable-base lab host ssh {host.name}`",
            ) from error
        yield


@contextlib.contextmanager
def _raw(terminal: int) -> Iterator[None]:
    """Hand every key on as it is typed; afterwards the terminal is as it was."""
    before = termios.tcgetattr(terminal)
    try:
        tty.setraw(terminal)
        yield
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
