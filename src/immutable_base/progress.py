"""Nodes while they run: a live table in a terminal, plain timestamped lines elsewhere.

In the log of a GitLab job each node is a section as well, folded unless it failed.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from rich.console import Console
from rich.live import Live
from rich.table import Table
from rich.text import Text

from immutable_base.errors import printable

MARKS = {"waiting": "·", "running": "▸", "done": "✔", "failed": "✘", "skipped": "-"}
STYLES = {
    "waiting": "dim",
    "running": "bold",
    "done": "green",
    "failed": "red",
    "skipped": "yellow",
}
NEWS_EVERY = 30.0
"""Seconds between plain lines about a node that has an estimate and goes on."""


SECTION_LINES = 500
"""Last lines of a node that its section shows; all of them are in the node's own log."""
NOT_IN_SECTIONS = re.compile(r"[^A-Za-z0-9_.-]")
ERASE = "\x1b[0K"


def duration(seconds: float) -> str:
    """Return seconds as `48 s` or `12 min 30 s`."""
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def in_gitlab_log() -> bool:
    """Tell whether standard error is the log of a GitLab job."""
    return os.environ.get("GITLAB_CI") == "true" and not sys.stderr.isatty()


def folded_section(
    name: str, *, began: float, ended: float, header: str, lines: Iterable[str], folded: bool
) -> str:
    """Return a section of a GitLab job's log; times are in seconds since 1970.

    Foreign lines can neither end it nor begin another one. Source:
    https://docs.gitlab.com/ci/jobs/job_logs/#create-custom-collapsible-sections
    """
    name = NOT_IN_SECTIONS.sub("_", name)
    fold = "[collapsed=true]" if folded else ""
    start = f"{ERASE}section_start:{began:.0f}:{name}{fold}\r{ERASE}{printable(header)}\n"
    body = "".join(f"{printable(line)}\n" for line in lines)
    return f"{start}{body}{ERASE}section_end:{ended:.0f}:{name}\r{ERASE}\n"


@dataclass(slots=True)
class Line:
    """The state of one node on the screen."""

    title: str
    usual_seconds: float = 0.0
    state: str = "waiting"
    started: float = 0.0
    seconds: float = 0.0
    message: str = ""
    reported: float = 0.0
    """When the last plain line about it was written."""
    began: float = 0.0
    """Seconds since 1970."""
    output: deque[str] = field(default_factory=lambda: deque(maxlen=SECTION_LINES))

    @property
    def elapsed(self) -> float:
        """Seconds since the node began, or that it took."""
        return time.monotonic() - self.started if self.state == "running" else self.seconds

    @property
    def clock(self) -> str:
        """The seconds so far, and an estimate of those left, if there is one."""
        if not self.started:
            return ""
        left = self.usual_seconds - self.elapsed
        if self.state == "running" and left > 0:
            return f"{duration(self.elapsed)}, about {duration(max(left, 1))} left"
        return duration(self.elapsed) if self.usual_seconds else f"{self.elapsed:.0f} s"


@dataclass(slots=True)
class Progress:
    """Receives what happens to nodes, from any thread, and shows it on standard error."""

    verbose: bool = False
    live: bool = field(default_factory=lambda: sys.stderr.isatty())  # noqa: PLW0108  of that moment
    sections: bool = field(default_factory=in_gitlab_log)
    """Whether each node becomes a section of a GitLab job's log once it has ended. As a whole, not
    line by line: nodes run at once, and sections that overlap are not shown."""
    quiet_below: float = 0.0
    """Seconds: a node without an estimate is shown only if it takes longer, or fails."""
    lines: dict[str, Line] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _live: Live | None = None
    _began: float = field(default_factory=time.monotonic)
    _stop: threading.Event = field(default_factory=threading.Event)

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
        else:
            threading.Thread(target=self._write_news, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the terminal as a person expects it, whatever happened."""
        self._stop.set()
        if self._live is not None:
            self._live.stop()
            self._live = None

    def expect(self, node: str, title: str, *, usual_seconds: float = 0) -> None:
        """Name a node that will run later, and how long it usually takes (0: no estimate)."""
        with self._lock:
            self.lines[node] = Line(title=title, usual_seconds=usual_seconds)

    def started(self, node: str) -> None:
        """Show that a node begins."""
        with self._lock:
            line = self.lines.setdefault(node, Line(title=node))
            line.state, line.started = "running", time.monotonic()
            line.reported, line.began = line.started, time.time()
        if line.usual_seconds or not self.quiet_below:
            title = f": {line.title}" if line.title != node else ""
            usual = f", usually {duration(line.usual_seconds)}" if line.usual_seconds else ""
            self._print(f"{node}: started{title}{usual}")

    def line(self, node: str, message: str) -> None:
        """Show what a node's program just wrote."""
        with self._lock:
            line = self.lines.setdefault(node, Line(title=node))
            line.message = message.strip()[:160] or line.message
            if self.sections:
                line.output.append(message)
        if self.verbose and not self.sections:
            self._print(f"{node}: | {message}")

    def finished(self, node: str, state: str, message: str = "") -> None:
        """Show how a node ended: done, failed or skipped."""
        with self._lock:
            line = self.lines.setdefault(node, Line(title=node))
            line.seconds = time.monotonic() - line.started if line.started else 0.0
            line.state, line.message = state, message
        if self._is_shown(line):
            tail = f": {message}" if message else ""
            self._conclude(node, line, f"{node}: {state} after {line.clock or '0 s'}{tail}")

    def _conclude(self, node: str, line: Line, text: str) -> None:
        if not self.sections or not line.began:
            self._print(text)
            return
        header, *rest = text.splitlines() or [text]
        section = folded_section(
            node,
            began=line.began,
            ended=time.time(),
            header=f"{time.strftime('%H:%M:%S')} {header}",
            lines=[*line.output, *rest],
            folded=line.state == "done",
        )
        self._write(section)
        line.output.clear()

    def _is_shown(self, line: Line) -> bool:
        return line.state != "done" or line.usual_seconds > 0 or line.seconds >= self.quiet_below

    def _write_news(self) -> None:
        """Write a line now and then about nodes that take long, so that a log shows life."""
        while not self._stop.wait(1):
            now = time.monotonic()
            with self._lock:
                due = [
                    (node, line)
                    for node, line in self.lines.items()
                    if line.state == "running"
                    and line.usual_seconds
                    and now - line.reported >= NEWS_EVERY
                ]
            for node, line in due:
                line.reported = now
                tail = f": {line.message}" if line.message else ""
                self._print(f"{node}: {line.clock}{tail}")

    def _print(self, text: str) -> None:
        self._write(f"{time.strftime('%H:%M:%S')} {text}\n")

    def _write(self, text: str) -> None:
        if self._live is None:
            with contextlib.suppress(OSError):  # Nobody reads any more: the work goes on.
                # In one piece: other threads write too.
                sys.stderr.write(text)
                sys.stderr.flush()

    def _render(self) -> Table:
        table = Table.grid(padding=(0, 1))
        with self._lock:
            lines = list(self.lines.values())
        left = sum(line.state in {"waiting", "running"} for line in lines)
        table.add_row(
            "", Text(f"{time.monotonic() - self._began:.0f} s, {left} of {len(lines)} to do")
        )
        for line in filter(self._is_shown, lines):
            message = Text(line.message, style="dim", overflow="ellipsis", no_wrap=True)
            mark = Text(MARKS[line.state], style=STYLES[line.state])
            table.add_row(mark, line.title, line.clock, message)
        return table
