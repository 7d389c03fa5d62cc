"""Programs start in one way, end in one way, and fail with their own words."""

import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from immutable_base import process
from immutable_base.errors import CommandError, ToolMissingError
from immutable_base.process import Command, Programs, programs, run
from support.processes import has_ended, number_in, wait_until


def sh(script, **kw):
    return Command(argv=("sh", "-c", script), timeout=kw.pop("timeout", 20), **kw)


def test_both_outputs_are_returned():
    result = run(sh("echo out; echo one >&2; echo two >&2"))
    assert result.text == "out\n"
    assert result.stderr_tail == "one\ntwo"


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
    monkeypatch.setenv("XDG_STATE_HOME", "/var/state")
    # Our own tools last: a user's choice comes first.
    assert process.environment({})["PATH"] == (
        "/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin:/var/state/immutable-base/tools/bin"
    )


def test_login_environment_does_not_leak(monkeypatch):
    monkeypatch.setenv("LD_PRELOAD_CANDIDATE", "x")
    assert "LD_PRELOAD_CANDIDATE" not in run(sh("env")).text


def test_timeout_ends_the_whole_group(tmp_path):
    pid_file = tmp_path / "pid"
    with pytest.raises(CommandError, match="did not end within"):
        run(sh(f"sleep 60 & echo $! > {pid_file}; wait", timeout=0.5))
    wait_until(lambda: has_ended(number_in(pid_file)))


def when_it_says_ready(tmp_path, trap):
    """Run a program that would take a minute, until it says that it is ready."""
    ready = tmp_path / "ready"
    script = (
        f"trap '{trap}' TERM; echo said; echo > {ready}; for i in $(seq 600); do sleep 0.1; done"
    )
    return run(sh(script, until=ready.exists, timeout=50))


def test_a_program_that_is_asked_to_end_does(tmp_path):
    assert when_it_says_ready(tmp_path, "exit 0").text == "said\n"


def test_one_that_is_ended_by_the_signal_has_not_failed(tmp_path):
    assert when_it_says_ready(tmp_path, "trap - TERM; kill -TERM $$").text == "said\n"


def test_one_that_does_not_heed_it_is_killed_and_has_not_failed(tmp_path, monkeypatch):
    monkeypatch.setattr(programs, "ASKED_SECONDS", 0.3)
    assert when_it_says_ready(tmp_path, "").text == "said\n"


def test_one_that_fails_when_it_is_asked_to_end_has_failed(tmp_path):
    with pytest.raises(CommandError, match="exited with status 3"):
        when_it_says_ready(tmp_path, "exit 3")


def test_one_that_somebody_else_kills_has_failed(tmp_path):
    with pytest.raises(CommandError, match="SIGKILL"):
        run(sh("kill -KILL $$", until=lambda: False))


def test_a_large_output_on_both_pipes_does_not_block():
    script = "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero | tr '\\0' x | fold -w 1000 >&2; echo last >&2"
    result = run(sh(script))
    assert len(result.stdout) == 3_000_000
    assert result.stderr_tail.endswith(f"{'x' * 1000}last")


def test_a_killed_parent_takes_its_program_along(tmp_path):
    pid_file = tmp_path / "pid"
    script = textwrap.dedent(f"""
        from immutable_base.process import Command, Programs, programs, run
        run(Command(argv=("sh", "-c", "echo $$ > {pid_file}; exec sleep 60"), timeout=90))
    """)
    parent = os.posix_spawn(sys.executable, [sys.executable, "-c", script], dict(os.environ))
    program = number_in(pid_file)
    os.kill(parent, signal.SIGKILL)
    os.waitpid(parent, 0)
    wait_until(lambda: has_ended(program))


def test_none_of_our_code_runs_in_a_program_that_starts():
    """After a fork it would wait for ever on a lock that another thread held: tracing has one."""
    script = textwrap.dedent("""
        import os, sys, time
        from immutable_base.process import Command, run
        us = os.getpid()
        def trace(frame, event, argument):
            if os.getpid() != us:
                time.sleep(60)
            return trace
        sys.settrace(trace)
        print(run(Command(argv=("echo", "started"), timeout=20)).text, end="")
    """)
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=20
    )
    assert (done.stdout, done.stderr) == ("started\n", "")


def test_output_that_something_left_behind_keeps_open_is_no_whole_answer(monkeypatch):
    monkeypatch.setattr(programs, "PIPE_SECONDS", 0.2)
    with pytest.raises(CommandError, match="keeps its output open"):
        run(sh("echo half; sleep 5 &"))


def test_a_daemon_that_keeps_only_standard_error_open_does_not_hold_us(monkeypatch):
    monkeypatch.setattr(programs, "PIPE_SECONDS", 0.2)
    assert run(sh("echo whole; sleep 2 >/dev/null &")).text == "whole\n"


# ------------------------------------------------------------------ nothing that is secret, nothing that stays


@pytest.mark.parametrize(
    "script",
    [
        "echo token=hunter2; exit 1",
        "echo token=hunter2 >&2; exit 1",
        "echo token=hunter2; exec sleep 60",
        "echo token=hunter2 >&2; exec sleep 60",
    ],
)
def test_a_secret_is_hidden_wherever_a_program_writes_it(script, caplog):
    command = sh(f"{script} # hunter2", secrets=("hunter2", "sesame"), timeout=1, hint="h")
    with caplog.at_level("DEBUG"), pytest.raises(CommandError) as caught:
        run(command)
    assert "hunter2" not in f"{caught.value} {caught.value.details} {caplog.text} {command}"
    if "exit" in script:
        assert "token=***" in caught.value.details
    assert caught.value.hint == "h"


def test_the_end_of_standard_output_is_shown_if_standard_error_is_empty():
    with pytest.raises(CommandError) as caught:
        run(sh("seq 3000; exit 7"))
    assert caught.value.details.endswith("2999\n3000\n")
    assert len(caught.value.details) == 4000


def test_a_secret_at_the_border_of_what_is_shown_is_hidden_too():
    """The last 4000 bytes may begin inside the secret."""
    with pytest.raises(CommandError) as caught:
        run(sh("printf hunter2; head -c 3996 /dev/zero | tr '\\0' x; exit 1", secrets=("hunter2",)))
    assert "er2" not in caught.value.details


def test_grandchildren_that_ignore_sigterm_end_with_a_program_that_took_too_long(tmp_path):
    pid_file = tmp_path / "pid"
    script = f"sh -c 'trap \"\" TERM; echo $$ > {pid_file}; while :; do sleep 1; done' & wait"
    with pytest.raises(CommandError, match="did not end within"):
        run(sh(script, timeout=1))
    wait_until(lambda: has_ended(number_in(pid_file)))


def test_a_program_ends_with_whatever_interrupts_us_and_its_grandchildren_with_it(tmp_path):
    pid_file = tmp_path / "pid"

    def interrupt(*_):
        raise KeyboardInterrupt

    script = f"sh -c 'trap \"\" TERM; echo $$ > {pid_file}; while :; do sleep 1; done' & wait"
    before = signal.signal(signal.SIGUSR1, interrupt)
    try:
        main = threading.main_thread().ident
        helper = threading.Thread(
            target=lambda: (number_in(pid_file), signal.pthread_kill(main, signal.SIGUSR1))
        )
        helper.start()
        with pytest.raises(KeyboardInterrupt):
            run(sh(script))
        helper.join()
    finally:
        signal.signal(signal.SIGUSR1, before)
    wait_until(lambda: has_ended(number_in(pid_file)))


def test_nothing_starts_after_an_interrupt_but_what_puts_something_back(tmp_path):
    ours = Programs()
    assert not ours.is_interrupted()
    ours.end_all()
    assert ours.is_interrupted()
    with pytest.raises(CommandError, match="`touch` was not started"):
        ours.run(Command(argv=("touch", str(tmp_path / "new")), timeout=20))
    assert list(tmp_path.iterdir()) == []
    ours.run(Command(argv=("touch", str(tmp_path / "old")), timeout=20, even_if_interrupted=True))
    assert [path.name for path in tmp_path.iterdir()] == ["old"]


def test_an_interrupt_while_a_reader_is_started_leaves_no_error_behind(monkeypatch):
    """The thread is there already, and `start` has not noticed it yet: its pipe is closed then."""
    start, begin, failed = threading.Thread.start, threading.Event(), []

    def start_late(thread):
        run = thread.run
        late = threading.Thread(target=lambda: begin.wait(10) and run())
        late_threads.append(late)
        start(late)
        raise KeyboardInterrupt

    late_threads = []
    monkeypatch.setattr(threading, "excepthook", failed.append)
    monkeypatch.setattr(threading.Thread, "start", start_late)
    with pytest.raises(KeyboardInterrupt):
        Programs().run(sh("echo word; exec sleep 60", timeout=90))
    begin.set()
    for thread in late_threads:
        thread.join(10)
    assert (len(late_threads), failed) == (1, [])


def test_an_interrupt_ends_every_program_under_way(tmp_path):
    ours = Programs()
    files = [tmp_path / "a", tmp_path / "b"]
    errors = []

    def work(path):
        try:
            ours.run(sh(f"echo $$ > {path}; exec sleep 60", timeout=90))
        except CommandError as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(path,)) for path in files]
    for thread in threads:
        thread.start()
    started = [number_in(path) for path in files]
    ours.end_all()
    for thread in threads:
        thread.join(10)
    assert len(errors) == 2
    assert all("SIGTERM" in error.message for error in errors)
    assert all(has_ended(pid) for pid in started)


def test_an_interrupt_in_the_moment_of_a_start_ends_that_program_too(monkeypatch):
    ours = Programs()
    start = programs._start

    def start_and_be_interrupted(command):
        program = start(command)
        ours.end_all()
        return program

    monkeypatch.setattr(programs, "_start", start_and_be_interrupted)
    with pytest.raises(CommandError, match="was ended by SIGTERM"):
        ours.run(sh("exec sleep 60", timeout=20))


def test_a_program_reads_nothing_from_our_own_standard_input():
    read, write = os.pipe()
    os.write(write, b"ours")
    os.close(write)
    before = os.dup(0)
    try:
        os.dup2(read, 0)
        assert run(sh("cat")).stdout == b""
    finally:
        os.dup2(before, 0)
        os.close(before)
        os.close(read)
    assert run(sh("cat", stdin=b"theirs")).stdout == b"theirs"


def test_an_exit_status_that_is_expected_is_no_failure():
    assert run(sh("exit 3", ok=frozenset({0, 3}))).status == 3
    with pytest.raises(CommandError):
        run(sh("exit 4", ok=frozenset({0, 3})))


def test_only_the_last_lines_of_standard_error_are_kept():
    with pytest.raises(CommandError) as caught:
        run(sh("seq 100 >&2; exit 1"))
    assert caught.value.details.splitlines() == [str(n) for n in range(61, 101)]


def test_programs_see_utc_and_no_language_of_the_machine(monkeypatch):
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    monkeypatch.setenv("LANG", "de_DE.UTF-8")
    monkeypatch.setenv("LC_ALL", "de_DE.UTF-8")
    environment = process.environment({"MORE": "x"})
    assert (environment["TZ"], environment["LANG"], environment["LC_ALL"], environment["MORE"]) == (
        "UTC",
        "C.UTF-8",
        "C.UTF-8",
        "x",
    )


def test_pipes_are_closed_when_an_interrupt_comes_before_they_are_read(monkeypatch):
    """An open pipe would be a ResourceWarning, which is an error here."""

    def interrupted(_reader):
        raise KeyboardInterrupt

    started = []
    popen = subprocess.Popen

    def start(*arguments, **options):
        started.append(popen(*arguments, **options))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", start)
    monkeypatch.setattr(threading.Thread, "start", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(sh("sleep 60"))
    assert started[0].returncode is not None
    assert started[0].stdout.closed
    assert started[0].stderr.closed


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_the_programs_under_way_and_interrupts_us(tmp_path, number):
    code = textwrap.dedent(f"""
        from immutable_base.process import Command, heed_interrupts, run
        heed_interrupts()
        try:
            run(Command(argv=("sh", "-c", "echo $$ > {tmp_path}/pid; exec sleep 60"), timeout=90))
        except KeyboardInterrupt:
            print("interrupted")
    """)
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, text=True
    ) as parent:
        program = number_in(tmp_path / "pid")
        parent.send_signal(number)
        assert parent.communicate(timeout=30)[0] == "interrupted\n"
    wait_until(lambda: has_ended(program))


def test_the_end_of_a_program_is_noticed_at_once(monkeypatch):
    """`Popen.wait` with a limit sleeps up to 50 ms between two looks: more than many a program takes."""
    monkeypatch.setattr(time, "sleep", lambda seconds: pytest.fail(f"it slept {seconds} s"))
    assert run(sh("sleep 0.1; echo done")).text == "done\n"


def test_a_program_that_has_ended_already_is_ended_again_without_an_error(monkeypatch):
    """An interrupt may come between its end and the reading of its answer."""
    ended = []
    real = programs._wait

    def interrupted(process, seconds):
        real(process, seconds)
        ended.append(process)
        if len(ended) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr(programs, "_wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run(sh("true"))
    assert [process.returncode for process in ended] == [0, 0]


def test_each_line_comes_while_the_program_runs_and_belongs_to_the_result_too(tmp_path):
    """A pipeline of an hour is watched, and its secrets are not."""
    seen, go_on = [], tmp_path / "go-on"

    def look(line):
        seen.append(line)
        go_on.touch()

    script = (
        f"echo token=hunter2; while ! test -e {go_on}; do sleep 0.01; done; printf 'b\\377\\nend'"
    )
    result = run(sh(script, each_line=look, secrets=("hunter2",)))
    assert seen == ["token=***", "b\ufffd", "end"]
    assert result.stdout == b"token=hunter2\nb\xff\nend"
