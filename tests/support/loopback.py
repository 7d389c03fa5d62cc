"""Keep a test on this machine: whatever would go to another address fails."""

import ipaddress
import socket

import pytest


class LeftTheMachineError(AssertionError):
    """A test tried to reach another machine."""


def is_of_this_machine(address) -> bool:
    """Tell whether a socket address is a path, or on loopback."""
    if not isinstance(address, tuple):
        return True  # of a Unix socket
    host = address[0].partition("%")[0]
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def stay_on_this_machine(patch: pytest.MonkeyPatch) -> None:
    """Refuse connections and names of other machines in this process."""
    for name in ("connect", "connect_ex"):
        real = getattr(socket.socket, name)

        def guarded(self, address, *, real=real):
            require_loopback(address)
            return real(self, address)

        patch.setattr(socket.socket, name, guarded)
    look_up = socket.getaddrinfo

    def guarded_look_up(host, *arguments, **options):
        require_loopback((host.decode() if isinstance(host, bytes) else host or "",))
        return look_up(host, *arguments, **options)

    patch.setattr(socket, "getaddrinfo", guarded_look_up)


def require_loopback(address) -> None:
    """Raise unless an address is of this machine."""
    if not is_of_this_machine(address):
        raise LeftTheMachineError(f"a unit test tried to reach {address[0]}")
