"""The lab's steps on a terminal: a live table, or plain lines where there is none."""

from __future__ import annotations

import sys
import threading
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING, Self

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType

NEWS_EVERY = 30.0
"""Seconds between plain lines about a step that goes on."""
WORTH_A_LINE = 0.5
"""Steps that took fewer seconds leave no line behind in the terminal."""


def duration(seconds: float) -> str:
    """Return seconds as `4.2 s`, `48 s` or `12 min 30 s`."""
    if seconds < 10:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


class ShownStep:
    """One step under way, with its clock."""

    def __init__(self, name: str, usual_seconds: float) -> None:
        self.name = name
        self.words = ""
        self.told = self.started = time.monotonic()
        self._usual = usual_seconds
        self._fraction = 0.0

    def say(self, words: str) -> None:
        """Show the step's latest words."""
        self.words = words

    def advance(self, done: float, total: float) -> None:
        """Tell how much of the step is done."""
        self._fraction = done / total if total else 0.0

    @property
    def elapsed(self) -> float:
        """Seconds since the step began."""
        return time.monotonic() - self.started

    @property
    def left(self) -> float | None:
        """Seconds until the step's end, as far as can be told."""
        if self._fraction > 0.02:
            return self.elapsed * (1 - self._fraction) / self._fraction
        rest = self._usual - self.elapsed
        return rest if self._usual and rest > 0 else None

    def line(self) -> str:
        """Return the step as one line."""
        parts = [self.name, duration(self.elapsed)]
        if self.left is not None:
            parts.append(f"about {duration(max(self.left, 1))} left")
        if self.words:
            parts.append(self.words)
        return " · ".join(parts)


class TerminalProgress:
    """Shows steps on standard error; use as a context manager."""

    def __init__(self) -> None:
        self._steps: list[ShownStep] = []
        self._lock = threading.Lock()
        self._console = Console(stderr=True, highlight=False, soft_wrap=True)
        self._live: Live | None = None
        self._stop = threading.Event()
        self._news = threading.Thread(target=self._tell_news, daemon=True)

    def __enter__(self) -> Self:
        """Begin to show."""
        if self._console.is_terminal:
            self._live = Live(console=self._console, get_renderable=self._render, transient=True)
            self._live.start()
        else:
            self._news.start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _at: TracebackType | None,
    ) -> None:
        """Leave the terminal as it was."""
        self._stop.set()
        if self._live is not None:
            self._live.stop()
            self._live = None

    @contextmanager
    def step(self, name: str, *, usual_seconds: float = 0) -> Iterator[ShownStep]:
        """Show a step while the block runs, and how it ended."""
        step = ShownStep(name, usual_seconds)
        with self._lock:
            self._steps.append(step)
        if self._live is None and usual_seconds:
            self._print(f"{name}: usually {duration(usual_seconds)}")
        mark = "✘"
        try:
            yield step
            mark = "✔"
        finally:
            with self._lock:
                self._steps.remove(step)
            if mark == "✘" or usual_seconds or step.elapsed >= WORTH_A_LINE:
                self._print(f"{mark} {name} · {duration(step.elapsed)}")

    def _print(self, line: str) -> None:
        if self._live is not None:
            self._live.console.print(line)
        else:
            print(f"{time.strftime('%H:%M:%S')} {line}", file=sys.stderr, flush=True)

    def _render(self) -> Group:
        with self._lock:
            steps = list(self._steps)
        return Group(
            *(Text(f"  {step.line()}", overflow="ellipsis", no_wrap=True) for step in steps)
        )

    def _tell_news(self) -> None:
        while not self._stop.wait(1):
            with self._lock:
                steps = list(self._steps)
            for step in steps:
                if time.monotonic() - step.told >= NEWS_EVERY:
                    step.told = time.monotonic()
                    self._print(step.line())
