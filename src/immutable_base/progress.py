"""While a night runs: a live line per node in a terminal, plain timestamped lines elsewhere."""

from __future__ import annotations

import contextlib
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

MARKS = {"waiting": "·", "running": "▸", "done": "✔", "failed": "✘", "skipped": "-"}
STYLES = {
    "waiting": "dim",
    "running": "bold",
    "done": "green",
    "failed": "red",
    "skipped": "yellow",
}


@dataclass(slots=True)
class Line:
    """The state of one node on the screen."""

    title: str
    state: str = "waiting"
    started: float = 0.0
    seconds: float = 0.0
    words: str = ""


@dataclass(slots=True)
class Progress:
    """Receives what happens to nodes, from any thread, and shows it on standard error."""

    verbose: bool = False
    live: bool = field(default_factory=sys.stderr.isatty)
    lines: dict[str, Line] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _live: Live | None = None
    _began: float = field(default_factory=time.monotonic)

    def __enter__(self) -> Self:
        """Start the live display, if there is a terminal."""
        if self.live:
            self._live = Live(
                console=Console(stderr=True),
                get_renderable=self._render,
                refresh_per_second=4,
                transient=False,
            )
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as a person expects it, whatever happened."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def expect(self, node: str, title: str) -> None:
        """Name a node that will run later."""
        with self._lock:
            self.lines[node] = Line(title=title)

    def started(self, node: str) -> None:
        """Say that a node begins."""
        with self._lock:
            line = self.lines.setdefault(node, Line(title=node))
            line.state, line.started = "running", time.monotonic()
        self._say(f"{node}: started: {line.title}")

    def line(self, node: str, words: str) -> None:
        """Say what a node's program just wrote."""
        with self._lock:
            line = self.lines.setdefault(node, Line(title=node))
            line.words = words.strip()[:160] or line.words
        if self.verbose:
            self._say(f"{node}: | {words}")

    def finished(self, node: str, state: str, words: str = "") -> None:
        """Say how a node ended: done, failed or skipped."""
        with self._lock:
            line = self.lines.setdefault(node, Line(title=node))
            line.seconds = time.monotonic() - line.started if line.started else 0.0
            line.state, line.words = state, words
        tail = f": {words}" if words else ""
        self._say(f"{node}: {state} after {line.seconds:.0f} s{tail}")

    def _say(self, text: str) -> None:
        if self._live is None:
            with contextlib.suppress(OSError):  # Nobody reads any more: the night goes on.
                print(f"{time.strftime('%H:%M:%S')} {text}", file=sys.stderr, flush=True)  # noqa: T201

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 1))
        with self._lock:
            lines = list(self.lines.values())
        left = sum(line.state in {"waiting", "running"} for line in lines)
        table.add_row(
            "", Text(f"{time.monotonic() - self._began:.0f} s, {left} of {len(lines)} to do")
        )
        for line in lines:
            running = time.monotonic() - line.started if line.state == "running" else line.seconds
            clock = f"{running:.0f} s" if line.started else ""
            words = Text(line.words, style="dim", overflow="ellipsis", no_wrap=True)
            table.add_row(
                Text(MARKS[line.state], style=STYLES[line.state]), line.title, clock, words
            )
        return table
