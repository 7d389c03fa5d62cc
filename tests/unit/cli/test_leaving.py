"""How the process ends: with everything written, its own exit code, and no word of Python's."""

import subprocess
import sys

import pytest

from immutable_base import __main__ as room

COMMAND = f"{sys.executable} -m immutable_base"


def shell(line):
    done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


def test_everything_is_written_into_a_pipe():
    code, whole, said = shell(f"{COMMAND} plan --help | cat; exit ${{PIPESTATUS[0]}}")
    assert (code, said) == (0, "")
    assert whole.startswith("usage: ")
    assert whole.rstrip().endswith(shell(f"{COMMAND} plan --help")[1].splitlines()[-1])


def test_its_code_is_the_commands():
    code, _, said = shell(f"{COMMAND} plna")
    assert code == 2
    assert said.startswith("error: there is no command 'plna'")


@pytest.mark.parametrize("redirection", [">&-", "2>&-", ">&- 2>&-"])
def test_somebody_who_wants_to_hear_nothing_gets_the_code_all_the_same(redirection):
    assert shell(f"{COMMAND} --version {redirection}")[0] == 0


def test_a_reader_that_has_gone_is_no_bug():
    code, _, said = shell(f"{COMMAND} --help | true; exit ${{PIPESTATUS[0]}}")
    assert code in {0, 130}, "whether it was gone before is a matter of luck"
    assert said == ""


class LeftError(Exception):
    pass


def test_what_is_still_being_done_is_waited_for(monkeypatch):
    def leave(code):
        raise LeftError(code)

    monkeypatch.setattr(room.os, "_exit", leave)
    monkeypatch.setattr(room, "main", lambda _arguments: 3)
    # Other tests may have left threads.
    monkeypatch.setattr(room.threading, "active_count", lambda: 1)
    with pytest.raises(LeftError, match="3"):
        room.entry_point()
    monkeypatch.setattr(room.threading, "active_count", lambda: 2)
    with pytest.raises(SystemExit) as caught:
        room.entry_point()
    assert caught.value.code == 3
