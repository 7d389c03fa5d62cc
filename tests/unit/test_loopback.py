"""Unit tests need no network: they cannot reach it. (They take less than a minute, too.)"""

import socket

import httpx
import pytest

from support.loopback import LeftTheMachineError, is_of_this_machine


@pytest.mark.parametrize(
    "address", [("192.0.2.1", 80), ("2001:db8::1", 80), ("registry.invalid", 443)]
)
def test_a_test_cannot_connect_to_another_machine(address):
    with socket.socket() as connection, pytest.raises(LeftTheMachineError):
        connection.connect(address)
    with socket.socket() as connection, pytest.raises(LeftTheMachineError):
        connection.connect_ex(address)


def test_a_test_cannot_look_up_another_machine():
    with pytest.raises(LeftTheMachineError):
        socket.getaddrinfo("registry.invalid", 443)
    with pytest.raises(LeftTheMachineError), httpx.Client(trust_env=False) as client:
        client.get("http://mirror.invalid/")


def test_loopback_and_unix_sockets_are_of_this_machine():
    for address in (("127.0.0.1", 1), ("::1", 1, 0, 0), ("localhost", 1), "/run/x", b"\0x"):
        assert is_of_this_machine(address)
    with socket.create_server(("127.0.0.1", 0)) as server:
        socket.create_connection(server.getsockname()).close()
