"""A run in namespaces of its own."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from immutable_base.errors import HostError
from immutable_base.process import run_contained
from support.processes import processes_with, wait_until


@pytest.fixture
def contained(tmp_path):
    """Start a process that runs a shell script contained, as `immutable-base run` does.

    Namespaces need root. For anybody else a user namespace makes one: then `unshare` on the PATH is
    a script that asks the real one for it.
    """
    folder = tmp_path / "bin"
    folder.mkdir()
    if os.geteuid() != 0:
        real = shutil.which("unshare")
        (folder / "unshare").write_text(f'#!/bin/sh\nexec {real} --user --map-root-user "$@"\n')
        (folder / "unshare").chmod(0o755)
    started = []

    def start(script):
        code = (
            "import sys; from immutable_base.process import run_contained\n"
            f"sys.exit(run_contained(['sh', '-c', {script!r}]))"
        )
        path = f"{folder}:{os.environ['PATH']}"
        started.append(
            subprocess.Popen(
                [sys.executable, "-c", code], env={**os.environ, "PATH": path},
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            )
        )  # fmt: skip
        return started[-1]

    yield start
    for parent in started:
        parent.kill()
        parent.wait(10)
        parent.stdout.close()
        parent.stderr.close()


def test_a_contained_run_is_process_one_and_hands_its_exit_status_on(contained):
    parent = contained('echo "$$ $IMMUTABLE_BASE_CONTAINED"; exit 7')
    assert parent.communicate(timeout=20)[0].split() == ["1", "1"]
    assert parent.returncode == 7


def test_a_contained_command_knows_its_number_outside_of_its_namespace(contained, tmp_path):
    """Inside it is process one, which is another process for whoever would end it."""
    process = contained(f"echo $IMMUTABLE_BASE_STARTED_BY > {tmp_path}/number")
    assert process.wait(20) == 0
    assert int((tmp_path / "number").read_text()) == process.pid


def test_killing_a_contained_run_kills_whatever_it_started(contained, tmp_path):
    """Even what left its session and ignores every signal that can be ignored."""
    mark = f"sleep-{tmp_path.name}-{os.getpid()}"
    stubborn = f"trap '' TERM INT HUP; : {mark}; touch {tmp_path}/up; while true; do sleep 1; done"
    parent = contained(f'setsid sh -c "{stubborn}" & wait')
    wait_until((tmp_path / "up").exists)
    assert processes_with(mark)
    parent.kill()
    wait_until(lambda: not processes_with(mark))


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_is_handed_to_the_contained_program_once(contained, tmp_path, number):
    log = tmp_path / "log"
    parent = contained(
        f"trap 'echo caught >> {log}' TERM INT; touch {tmp_path}/up; "
        f"while [ ! -s {log} ]; do sleep 0.1; done; sleep 0.3; exit 9"
    )
    wait_until((tmp_path / "up").exists)
    parent.send_signal(number)
    parent.communicate(timeout=20)
    assert parent.returncode == 9, "its own status, after it has cleaned up"
    assert log.read_text() == "caught\n"


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_before_the_program_heeds_any_waits_until_it_does(contained, tmp_path, number):
    """As while Python starts and imports: the kernel drops it for a namespace's first process."""
    code = (
        "import time, pathlib; from immutable_base.process import heed_interrupts; "
        f"pathlib.Path({str(tmp_path / 'up')!r}).touch(); time.sleep(1); "
        "heed_interrupts(); time.sleep(10)"
    )
    parent = contained(f"exec {sys.executable} -c {shlex.quote(code)}")
    wait_until((tmp_path / "up").exists)
    parent.send_signal(number)
    stderr = parent.communicate(timeout=8)[1]
    assert "KeyboardInterrupt" in stderr


def test_a_contained_run_that_is_killed_says_so(contained, tmp_path):
    """As when the kernel runs out of memory: unshare ends by the signal of what it ran."""
    mark = f"killed-{tmp_path.name}-{os.getpid()}"
    parent = contained(f": {mark}; touch {tmp_path}/up; while true; do sleep 1; done")
    wait_until((tmp_path / "up").exists)
    (program,) = [
        pid for pid in processes_with(mark) if "NSpid" in status_of(pid) and is_first(pid)
    ]
    os.kill(program, signal.SIGKILL)
    stderr = parent.communicate(timeout=20)[1]
    assert parent.returncode == 1
    assert "HostError: the run was ended by SIGKILL" in stderr


def test_a_run_that_cannot_be_contained_says_why(contained, tmp_path):
    (tmp_path / "bin" / "unshare").write_text(
        "#!/bin/sh\necho 'unshare: unshare failed: Operation not permitted' >&2; exit 1\n"
    )
    (tmp_path / "bin" / "unshare").chmod(0o755)
    stderr = contained("exit 0").communicate(timeout=20)[1]
    assert "HostError: the run could not be started in namespaces of its own" in stderr
    assert "  | unshare: unshare failed: Operation not permitted" in stderr


def test_what_a_contained_program_writes_to_standard_error_is_ours(contained):
    parent = contained("echo out; echo err >&2; ls /proc/self/fd >&2; exit 1")
    stdout, stderr = parent.communicate(timeout=20)
    assert (parent.returncode, stdout, stderr.splitlines()[0]) == (1, "out\n", "err")
    assert stderr.split()[1:] == ["0", "1", "2", "3"], "and no other file of ours is open in it"


def status_of(pid):
    return Path(f"/proc/{pid}/status").read_text()


def is_first(pid):
    """Tell whether a process is process 1 of a namespace below ours."""
    numbers = re.search(r"^NSpid:\s*(.*)$", status_of(pid), re.MULTILINE).group(1).split()
    return len(numbers) > 1 and numbers[-1] == "1"


def test_handlers_of_signals_are_as_before_when_a_contained_run_has_ended():
    """Whoever runs something contained goes on with handlers of their own."""
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    with contextlib.suppress(HostError):
        run_contained(["true"])
    assert {number: signal.getsignal(number) for number in before} == before
