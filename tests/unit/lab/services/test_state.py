"""The lab records its ports and daemons, and never takes anybody else's."""

import json
import os
import signal
import socket
import sys
from dataclasses import replace

import pytest

from immutable_base.errors import CommandError, HostError
from immutable_base_lab.core import ports
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.services import service as service_module
from immutable_base_lab.services.daemons import Daemon, is_alive, start_daemon, stop_daemon
from immutable_base_lab.services.service import Launch, Service, module_argv
from immutable_base_lab.services.state import Started, StateStore
from immutable_base_lab.services.supervisor import MARK, Supervisor, marked_daemons


@pytest.fixture
def supervisor(tmp_path):
    paths = LabPaths(root=tmp_path)
    supervisor = Supervisor(paths=paths, store=StateStore(paths.state_file))
    supervisor.store.set_ports({"listener": free_port()})
    yield supervisor
    supervisor.end_all([])


LISTEN = "import socket, time; s = socket.create_server(('127.0.0.1', {port})); time.sleep(60)"


def listener(name="listener", **more) -> Service:
    """A service that listens on its port and does nothing else."""

    def prepare(at):
        port = at.ports["listener"]

        def probe():
            socket.create_connection(("127.0.0.1", port), timeout=1).close()

        argv = (sys.executable, "-c", LISTEN.format(port=port))
        return Launch(argv=argv, probe=probe, **more)

    return Service(name=name, ports=("listener",), prepare=prepare)


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


def test_a_service_is_started_once_and_ended_exactly(supervisor):
    service = listener()
    assert supervisor.ensure(service)
    assert not supervisor.ensure(service)
    (started,) = supervisor.store.state.daemons.values()
    assert len(supervisor.open_ports()) == 1
    supervisor.end(service)
    assert not is_alive(started.daemon)
    assert supervisor.open_ports() == []
    assert not supervisor.store.state.daemons


def test_a_changed_service_is_started_anew(supervisor):
    supervisor.ensure(listener())
    before = supervisor.store.state.daemons["listener"]
    assert supervisor.ensure(listener(env={"X": "1"}))
    assert supervisor.store.state.daemons["listener"] != before


def test_a_service_whose_configuration_changed_is_started_anew(supervisor, tmp_path):
    file = tmp_path / "configuration"
    file.write_text("old")
    service = listener(inputs=(file,))
    supervisor.ensure(service)
    assert not supervisor.ensure(service)
    file.write_text("new")
    assert supervisor.ensure(service)


def test_a_service_whose_program_was_built_anew_is_started_anew(supervisor, tmp_path):
    """Its path is the same, and the old program would go on serving."""
    program = tmp_path / "service"
    plain = listener()

    def prepare(at):
        launch = plain.prepare(at)
        return replace(launch, argv=(str(program), *launch.argv[1:]))

    program.write_text(f'#!/bin/sh\nexec {sys.executable} "$@"\n')
    program.chmod(0o755)
    service = replace(plain, prepare=prepare)
    supervisor.ensure(service)
    assert not supervisor.ensure(service)
    program.write_text(f'#!/bin/sh\n# another\nexec {sys.executable} "$@"\n')
    assert supervisor.ensure(service)


def test_a_service_of_ours_is_started_anew_when_our_source_changes(tmp_path, monkeypatch):
    monkeypatch.setattr(service_module, "SOURCES", tmp_path)
    source = tmp_path / "rooms" / "issuer.py"
    source.parent.mkdir()
    source.write_text("x = 1")
    launch = Launch(argv=module_argv("immutable_base_lab.services.issuer"), probe=lambda: None)
    before = launch.key
    assert launch.key == before
    source.write_text("x = 2")
    assert launch.key != before


def test_a_service_that_died_is_started_again(supervisor):
    service = listener()
    supervisor.ensure(service)
    pid = supervisor.store.state.daemons["listener"].daemon.pid
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    assert supervisor.ensure(service)


def test_a_service_whose_data_are_made_anew_does_not_run_meanwhile(supervisor):
    """MariaDB would go on writing into a folder that is being replaced."""
    service = listener()
    supervisor.ensure(service)
    running = []

    def prepare(at):
        running.append("listener" in supervisor.store.state.daemons)
        return service.prepare(at)

    supervisor.ensure(replace(service, prepare=prepare, must_stop=lambda at: True))
    assert running == [False]


def test_all_daemons_end_also_of_services_that_exist_no_longer_and_the_last_ones_last(supervisor):
    first, last = listener("first"), replace(listener("last"), stops_last=True)
    ended = []
    supervisor.ensure(first)
    known = supervisor.store.state.daemons["first"]
    supervisor.store.add_daemon("last", known)
    supervisor.store.add_daemon("from an older version", known)
    remove = supervisor.store.remove_daemon
    supervisor.store.remove_daemon = lambda name: (ended.append(name), remove(name))
    supervisor.end_all([last, first])
    assert ended[2:] == ["last"]
    assert set(ended[:2]) == {"first", "from an older version"}
    assert not is_alive(known.daemon)


def test_a_port_that_somebody_else_has_is_named(supervisor):
    port = supervisor.store.state.ports["listener"]
    with socket.create_server(("127.0.0.1", port)), pytest.raises(HostError, match=f"port {port}"):
        supervisor.ensure(listener())


def test_a_service_that_ends_at_once_shows_what_it_wrote(supervisor):
    argv = (sys.executable, "-c", "raise SystemExit('no such option')")

    def probe():
        raise ConnectionRefusedError

    service = Service(name="broken", ports=(), prepare=lambda at: Launch(argv=argv, probe=probe))
    with pytest.raises(CommandError) as caught:
        supervisor.ensure(service)
    assert "no such option" in str(caught.value)


def test_a_service_that_never_answers_is_named(supervisor):
    def probe():
        raise ConnectionRefusedError("nobody there")

    launch = Launch(argv=("sleep", "60"), probe=probe, patience=0.2)
    service = Service(name="mute", ports=(), prepare=lambda at: launch)
    with pytest.raises(CommandError, match=r"mute does not answer after 0 s: nobody there"):
        supervisor.ensure(service)


def test_a_daemon_that_was_never_written_down_is_found_and_ended(supervisor, tmp_path):
    """What an `up` leaves that was killed between starting a daemon and recording it."""
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
