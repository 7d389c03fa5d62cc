"""The lab remembers its ports and daemons, and never takes anybody else's."""

import json
import os
import signal
import socket
import sys

import pytest

from immutable_base.errors import CommandError, HostError
from immutable_base_lab.core import ports
from immutable_base_lab.core.state import Started, StateStore, locked
from immutable_base_lab.services.daemons import Daemon, is_alive, start_daemon, stop_daemon
from immutable_base_lab.services.supervisor import MARK, Service, Supervisor, marked_daemons


@pytest.fixture
def supervisor(tmp_path):
    store = StateStore(tmp_path / "state.json")
    supervisor = Supervisor(root=tmp_path, log_folder=tmp_path, store=store)
    yield supervisor
    for name in list(store.state.daemons):
        supervisor.end(name)
    supervisor.end_strays()


def listener(port: int, **more) -> Service:
    program = (
        f"import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"
    )

    def probe():
        socket.create_connection(("127.0.0.1", port), timeout=1).close()

    argv = (sys.executable, "-c", program)
    return Service(name="listener", argv=argv, ports=(port,), probe=probe, **more)


def free_port() -> int:
    return ports.choose(["one"], {})["one"]


def test_ports_are_kept_and_distinct():
    first = ports.choose(["a", "b"], {})
    assert ports.choose(["a", "b", "c"], first).items() > first.items()
    assert len(set(ports.choose(["a", "b", "c"], first).values())) == 3


def test_state_is_read_back_as_it_was_written(tmp_path):
    store = StateStore(tmp_path / "state.json")
    store.set_ports({"registry": 20001})
    store.add_daemon("registry", Started(daemon=Daemon(pid=1, start_ticks=2), key="k"))
    assert StateStore(tmp_path / "state.json").state == store.state


@pytest.mark.parametrize("text", ["{", '{"ports": {"registry": "many"}}', '{"schema_version": 99}'])
def test_a_state_that_cannot_be_used_is_said_so(tmp_path, text):
    (tmp_path / "state.json").write_text(text)
    with pytest.raises(HostError):
        StateStore(tmp_path / "state.json")


def test_two_commands_do_not_work_on_one_lab(tmp_path):
    with (
        locked(tmp_path / "lock"),
        pytest.raises(HostError, match="another command"),
        locked(tmp_path / "lock"),
    ):
        pass


def test_a_service_is_started_once_and_ended_exactly(supervisor):
    service = listener(free_port())
    assert supervisor.ensure(service)
    assert not supervisor.ensure(service)
    (started,) = supervisor.store.state.daemons.values()
    supervisor.end("listener")
    assert not is_alive(started.daemon)
    assert ports.is_free(service.ports[0])
    assert not supervisor.store.state.daemons


def test_a_changed_service_is_started_anew(supervisor):
    port = free_port()
    supervisor.ensure(listener(port))
    before = supervisor.store.state.daemons["listener"]
    assert supervisor.ensure(listener(port, env={"X": "1"}))
    assert supervisor.store.state.daemons["listener"] != before


def test_a_service_that_died_is_started_again(supervisor):
    service = listener(free_port())
    supervisor.ensure(service)
    pid = supervisor.store.state.daemons["listener"].daemon.pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert supervisor.ensure(service)


def test_a_port_that_somebody_else_has_is_named(supervisor):
    port = free_port()
    with socket.create_server(("127.0.0.1", port)), pytest.raises(HostError, match=f"port {port}"):
        supervisor.ensure(listener(port))


def test_a_service_that_ends_at_once_shows_its_last_words(supervisor):
    argv = (sys.executable, "-c", "raise SystemExit('no such option')")

    def probe():
        raise ConnectionRefusedError

    service = Service(name="broken", argv=argv, ports=(), probe=probe)
    with pytest.raises(CommandError) as caught:
        supervisor.ensure(service)
    assert "no such option" in str(caught.value)


def test_a_daemon_that_was_never_written_down_is_found_and_ended(supervisor, tmp_path):
    """What an `up` leaves that was killed between starting a daemon and remembering it."""
    argv = (sys.executable, "-c", "import time; time.sleep(60)")
    stray = start_daemon(argv, log_file=tmp_path / "log", env={MARK: str(tmp_path)})
    other = start_daemon(argv, log_file=tmp_path / "log", env={MARK: str(tmp_path / "other")})
    try:
        assert marked_daemons(tmp_path) == [stray]
        assert supervisor.end_strays() == 1
        assert not is_alive(stray)
        assert is_alive(other)
    finally:
        stop_daemon(other)


def test_the_state_file_is_plain_json(tmp_path):
    StateStore(tmp_path / "state.json").set_ports({"files": 20002})
    assert json.loads((tmp_path / "state.json").read_text())["ports"] == {"files": 20002}
