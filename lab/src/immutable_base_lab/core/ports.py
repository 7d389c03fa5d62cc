"""Ports on loopback: chosen once, and never changed, because images and signatures name them."""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Iterable, Mapping

from immutable_base.errors import HostError

LOOPBACK = "127.0.0.1"
# Below the ports that the kernel hands to outgoing connections (ip_local_port_range starts at
# 32768), so that a port kept over a `down` is not taken by a browser.
CHOICE = range(20000, 32000)


def is_free(port: int) -> bool:
    """Tell whether a service could listen on this port of loopback now."""
    with socket.socket() as probe:
        # As servers do: connections that linger after a `down` are no obstacle.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
        return True


def choose(names: Iterable[str], known: Mapping[str, int]) -> dict[str, int]:
    """Return a port for every name: the known one, or a free one that no other name has.

    Raises HostError if there are not enough free ports.
    """
    ports = dict(known)
    candidates = random.sample(CHOICE, len(CHOICE))
    for name in names:
        if name in ports:
            continue
        taken = set(ports.values())
        port = next((one for one in candidates if one not in taken and is_free(one)), None)
        if port is None:
            raise HostError(
                f"no free port between {CHOICE.start} and {CHOICE.stop}",
                hint="end some of the services that listen on loopback",
            )
        ports[name] = port
    return ports
