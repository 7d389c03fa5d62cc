"""The last of the lab's tests: `down` leaves nothing of ours, and `up` afterwards takes seconds."""

import json
import socket
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]


def product(*arguments):
    return subprocess.run(
        [sys.executable, "-m", "immutable_base", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )


def test_down_leaves_nothing_and_up_takes_seconds(lab):
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
    started = time.monotonic()
    assert product("lab", "up", *state).returncode == 0
    assert time.monotonic() - started < 30
    assert product("lab", "down", *state).returncode == 0


def _words(process: Path) -> bytes:
    try:
        return (process / "cmdline").read_bytes()
    except OSError:
        return b""
