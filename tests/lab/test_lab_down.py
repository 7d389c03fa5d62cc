"""The last of the lab's tests: `down` leaves nothing of ours, and `up` afterwards makes nothing again."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from immutable_base_lab.core import cache
from support.paths import ROOT


def product(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "immutable_base", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


@pytest.mark.alone
def test_down_leaves_nothing_and_up_makes_nothing_again(lab):
    state = ["--state", str(lab.state)]
    before = json.loads((lab.state / "state.json").read_text())
    ports = list(before["ports"].values())
    assert ports
    done = product("lab", "down", *state)
    assert done.returncode == 0, done.stderr
    for port in ports:
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", port)) != 0
    assert str(lab.state) not in Path("/proc/self/mounts").read_text()
    running = [p.name for p in Path("/proc").glob("[0-9]*") if str(lab.state).encode() in _words(p)]
    assert running == []
    made = pieces(lab.state)
    assert made
    up = product("lab", "up", *state)
    assert up.returncode == 0, up.stderr
    assert pieces(lab.state) == made, "the state is kept: nothing is made a second time"
    assert json.loads((lab.state / "state.json").read_text())["ports"] == before["ports"]
    assert product("lab", "down", *state).returncode == 0


def pieces(state):
    """Return the mark of everything that `up` has made: the file itself, and when it was written."""
    found = (
        path for depth in ("*", "*/*", "*/*/*") for path in state.glob(f"{depth}/{cache.KEY_FILE}")
    )
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in found}


def _words(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
