"""Sitting at a console: what is typed and shown, and how one leaves."""

import contextlib
import os
import pty
import socket
import threading

import pytest

from immutable_base.errors import HostError
from immutable_base_lab.hosts import console
from immutable_base_lab.hosts.folder import HostFolder


@pytest.mark.parametrize(
    ("typed", "wanted", "leaves"),
    [(b"ls\r", b"ls\r", False), (b"ls\x1dx", b"ls", True), (b"\x1d", b"", True), (b"\x03", b"\x03", False)],
)  # fmt: skip
def test_the_detach_key_is_the_only_one_that_the_host_does_not_get(typed, wanted, leaves):
    assert console.before_detach(typed) == (wanted, leaves)


@pytest.fixture
def ends():
    """A keyboard and a screen (pipes), and the machine's side of the socket."""
    keyboard, screen = os.pipe(), os.pipe()
    ours, theirs = socket.socketpair()
    yield keyboard, screen, ours, theirs
    for descriptor in (*keyboard, *screen):
        os.close(descriptor)
    ours.close()
    theirs.close()


def test_bytes_go_both_ways_until_the_key_is_typed(ends):
    keyboard, screen, ours, theirs = ends
    thread = threading.Thread(target=console.relay, args=(keyboard[0], screen[1], ours))
    thread.start()
    os.write(keyboard[1], b"uname\r")
    assert theirs.recv(100) == b"uname\r"
    theirs.sendall(b"Linux\r\n")
    assert os.read(screen[0], 100) == b"Linux\r\n"
    os.write(keyboard[1], b"\x1d")
    thread.join(10)
    assert not thread.is_alive()


def test_it_ends_with_the_machine(ends):
    keyboard, screen, ours, theirs = ends
    thread = threading.Thread(target=console.relay, args=(keyboard[0], screen[1], ours))
    thread.start()
    theirs.shutdown(socket.SHUT_RDWR)
    thread.join(10)
    assert not thread.is_alive()


def test_a_terminal_is_afterwards_as_it_was(monkeypatch):
    import termios

    main, side = pty.openpty()
    before = termios.tcgetattr(side)
    with console._raw(side):
        assert termios.tcgetattr(side) != before
    with contextlib.suppress(RuntimeError), console._raw(side):
        raise RuntimeError
    assert termios.tcgetattr(side) == before
    os.close(main)
    os.close(side)


def test_two_do_not_sit_at_one_console(tmp_path):
    host = HostFolder(path=tmp_path / "web")
    host.path.mkdir()
    with (
        console._alone(host),
        pytest.raises(HostError, match="somebody sits"),
        console._alone(host),
    ):
        pass
    with console._alone(host):
        pass


def test_without_a_terminal_or_a_machine_it_says_what_to_do(tmp_path, monkeypatch):
    host = HostFolder(path=tmp_path / "web")
    with pytest.raises(HostError, match="is not running"):
        console.attach(host)
    monkeypatch.setattr(console, "require_running", lambda *_: None)
    with pytest.raises(HostError, match="needs a terminal") as caught:
        console.attach(host)
    assert "lab host ssh web COMMAND" in str(caught.value)
