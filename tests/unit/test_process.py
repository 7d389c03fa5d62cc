"""Programs start in one way, end in one way, and fail with their own words."""

import os
import signal
import subprocess
import sys
import textwrap
import time

import pytest

from immutable_base import process
from immutable_base.errors import CommandError, HostError, ToolMissingError
from immutable_base.process import Command, run, run_contained


def sh(script, **kw):
    return Command(argv=("sh", "-c", script), timeout=kw.pop("timeout", 20), **kw)


def test_output_is_returned_and_lines_are_relayed():
    lines = []
    result = run(sh("echo out; echo one >&2; echo two >&2"), on_line=lines.append)
    assert result.text == "out\n"
    assert lines == ["one", "two"]


def test_failure_says_command_status_words_and_hint():
    with pytest.raises(CommandError) as caught:
        run(sh("echo 'no such pool' >&2; exit 3", hint="import it first"))
    words = str(caught.value)
    assert "exited with status 3" in words
    assert "  | no such pool" in words
    assert "hint: import it first" in words


def test_missing_program():
    with pytest.raises(ToolMissingError, match="`no-such-program` is not installed"):
        run(Command(argv=("no-such-program",), timeout=1))


def test_secrets_are_in_no_error():
    with pytest.raises(CommandError) as caught:
        run(sh("echo token=hunter2 >&2; exit 1", env={"T": "hunter2"}, secrets=("hunter2",)))
    assert "hunter2" not in str(caught.value)
    assert "token=***" in str(caught.value)


def test_programs_of_root_are_found_from_a_plain_su(monkeypatch):
    monkeypatch.setenv("PATH", "/usr/local/bin:/usr/bin:/bin")
    assert process.environment({})["PATH"].endswith("/bin:/usr/sbin:/sbin")


def test_login_environment_does_not_leak(monkeypatch):
    monkeypatch.setenv("LD_PRELOAD_CANDIDATE", "x")
    assert "LD_PRELOAD_CANDIDATE" not in run(sh("env")).text


def test_timeout_ends_the_whole_group(tmp_path):
    pid_file = tmp_path / "pid"
    with pytest.raises(CommandError, match="did not end within"):
        run(sh(f"sleep 60 & echo $! > {pid_file}; wait", timeout=0.5))
    child = int(pid_file.read_text())
    time.sleep(0.2)
    assert process.start_ticks(child) is None


def test_a_large_output_on_both_pipes_does_not_block():
    lines = []
    script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero | tr '\\0' x | fold -w 1000 >&2"
    result = run(sh(script), on_line=lines.append)
    assert len(result.stdout) == 3_000_000
    assert len(lines) == 3_000


def test_a_killed_parent_takes_its_program_along(tmp_path):
    pid_file = tmp_path / "pid"
    script = textwrap.dedent(f"""
        from immutable_base.process import Command, run
        run(Command(argv=("sh", "-c", "echo $$ > {pid_file}; exec sleep 60"), timeout=90))
    """)
    parent = os.posix_spawn(sys.executable, [sys.executable, "-c", script], dict(os.environ))
    deadline = time.monotonic() + 10
    while not (pid_file.exists() and pid_file.read_text().strip()) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    time.sleep(0.3)
    assert process.start_ticks(int(pid_file.read_text())) is None


def test_daemon_is_named_by_pid_and_start(tmp_path):
    daemon = process.start_daemon(["sleep", "60"], log_file=tmp_path / "log", env={})
    assert process.is_alive(daemon)
    stranger = process.Daemon(pid=daemon.pid, start_ticks=daemon.start_ticks + 1)
    process.stop_daemon(stranger)
    assert process.is_alive(daemon), "a process that only has the same pid must be left alone"
    process.stop_daemon(daemon)
    assert not process.is_alive(daemon)


def test_a_contained_run_that_is_killed_says_so(monkeypatch):
    """As when the kernel runs out of memory: unshare ends by the signal of what it ran."""
    monkeypatch.setattr(signal, "signal", lambda *_: None)
    real = subprocess.Popen
    monkeypatch.setattr(
        subprocess, "Popen", lambda argv, **kw: real(["sh", "-c", "kill -9 $$"], **kw)
    )
    with pytest.raises(HostError, match="SIGKILL"):
        run_contained(["true"])


def test_output_that_something_left_behind_keeps_open_is_no_whole_answer(monkeypatch):
    monkeypatch.setattr(process, "PIPE_SECONDS", 0.2)
    with pytest.raises(CommandError, match="keeps its output open"):
        run(sh("echo half; sleep 5 &"))


def test_a_daemon_that_keeps_only_standard_error_open_does_not_hold_us(monkeypatch):
    monkeypatch.setattr(process, "PIPE_SECONDS", 0.2)
    assert run(sh("echo whole; sleep 2 >/dev/null &")).text == "whole\n"
