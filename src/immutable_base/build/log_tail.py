"""Read a log file while a program writes it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from immutable_base.process import LineSink

SECONDS = 0.5
"""Between two looks at the file."""


@contextlib.contextmanager
def following(path: Path, say: LineSink) -> Iterator[None]:
    """Pass on the lines of a growing log file while the block runs."""
    stop = threading.Event()
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    path.touch()
    follower = threading.Thread(target=_follow, args=(path, say, stop), daemon=True)
    follower.start()
    try:
        yield
    finally:
        stop.set()
        follower.join()


def _follow(path: Path, say: LineSink, stop: threading.Event) -> None:
    with path.open("rb") as file:
        rest = b""
        while True:
            last_round = stop.wait(SECONDS)
            *lines, rest = (rest + file.read()).split(b"\n")
            for line in lines:
                say(line.decode("utf-8", "replace").rstrip())
            if last_round:
                return
