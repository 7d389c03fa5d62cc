"""A line between a program and a service of the lab, that a test can cut."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Iterator
from dataclasses import dataclass


@dataclass
class Forwarder:
    """Carries connections of a port of its own to a service, as bytes: TLS goes through."""

    target: tuple[str, int]
    port: int = 0
    """0: any that is free."""
    cut_after: int = 0
    """Bytes from the client after which a connection is reset."""
    cuts: int = 0
    """How many connections that happens to."""
    were_cut: int = 0
    listener: socket.socket | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def listen(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self) -> None:
        with contextlib.suppress(OSError):  # closed by the test
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.carry, args=(client,), daemon=True).start()

    def carry(self, client: socket.socket) -> None:
        with client, socket.create_connection(self.target) as service, contextlib.suppress(OSError):
            back = threading.Thread(target=pump, args=(service, client), daemon=True)
            back.start()
            for number in sizes(client, service):
                if self.cuts > 0 and number > self.cut_after:
                    self.cuts -= 1
                    self.were_cut += 1
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                    return  # Closed like this, it is a reset.
            back.join()


def sizes(source: socket.socket, target: socket.socket) -> Iterator[int]:
    """Carry bytes, and yield how many there were."""
    whole = 0
    while data := source.recv(65536):
        target.sendall(data)
        whole += len(data)
        yield whole
    target.shutdown(socket.SHUT_WR)


def pump(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        for _ in sizes(source, target):
            pass


@contextlib.contextmanager
def forwarding(host_and_port: str, *, after: float = 0.0, **how) -> Iterator[Forwarder]:
    """Yield a line to a service, which waits for connections from then on, or after some seconds."""
    host, _, port = host_and_port.rpartition(":")
    line = Forwarder(target=(host, int(port)), **how)
    begin = threading.Timer(after, line.listen)
    begin.start()
    if not after:
        begin.join()
    try:
        yield line
    finally:
        begin.cancel()
        if line.listener is not None:
            line.listener.close()
