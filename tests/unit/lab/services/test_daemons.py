"""A daemon is one process for ever, and what it was started with can be read at once."""

from pathlib import Path

import pytest

from immutable_base.errors import CommandError, ToolMissingError
from immutable_base_lab.services import daemons
from support.processes import wait_until


def test_daemon_is_named_by_pid_and_start(tmp_path):
    daemon = daemons.start_daemon(["sleep", "60"], log_file=tmp_path / "log", env={})
    assert daemons.is_alive(daemon)
    stranger = daemons.Daemon(pid=daemon.pid, start_ticks=daemon.start_ticks + 1)
    daemons.stop_daemon(stranger)
    assert daemons.is_alive(daemon), "a process that only has the same pid must be left alone"
    daemons.stop_daemon(daemon)
    assert not daemons.is_alive(daemon)


def test_a_daemons_environment_can_be_read_as_soon_as_it_was_started(tmp_path):
    """It is how a daemon is found that a killed `up` did not record; empty for a moment."""
    daemon = daemons.start_daemon(["sleep", "60"], log_file=tmp_path / "log", env={"MARK": "x"})
    try:
        environ = Path(f"/proc/{daemon.pid}/environ").read_bytes().split(b"\0")
        assert b"MARK=x" in environ
    finally:
        daemons.stop_daemon(daemon)


def test_a_daemon_that_ends_at_once_shows_what_it_wrote(tmp_path, monkeypatch):
    """Here the kernel has let go of it before it was looked at."""
    monkeypatch.setattr(daemons, "start_ticks", lambda pid: None)
    log_file = tmp_path / "log"
    log_file.write_text("bind: address in use\n")
    with pytest.raises(CommandError, match="ended at once") as caught:
        daemons.start_daemon(["true"], log_file=log_file, env={})
    assert "address in use" in str(caught.value)


def test_a_daemon_that_is_not_installed_is_named(tmp_path):
    with pytest.raises(ToolMissingError, match="no-such-daemon"):
        daemons.start_daemon(["no-such-daemon"], log_file=tmp_path / "log", env={})


def test_a_daemon_that_does_not_heed_sigterm_is_killed_after_its_grace(tmp_path):
    started = tmp_path / "started"
    script = f"trap '' TERM; touch {started}; while :; do sleep 0.1; done"
    daemon = daemons.start_daemon(["sh", "-c", script], log_file=tmp_path / "log", env={})
    wait_until(started.exists)
    daemons.stop_daemon(daemon, grace=0.2)
    assert not daemons.is_alive(daemon)
