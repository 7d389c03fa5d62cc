"""One limit of time for a whole verification, whatever hangs."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from immutable_base.errors import CommandError, RemoteError

T = TypeVar("T")
LOOK = 0.2
"""Seconds between two looks at whether the answer is still wanted."""
SECONDS = 60.0
"""Default for a whole verification."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deadline:
    """A moment until which everything must be known."""

    seconds: float = SECONDS
    started: float = field(default_factory=time.monotonic)
    interrupted: Callable[[], bool] = lambda: False
    """Tells whether nobody wants the answer any more."""

    def remaining(self) -> float:
        """Return the seconds that are left; raises RemoteError if there are none."""
        left = self.started + self.seconds - time.monotonic()
        if left <= 0:
            raise self.passed()
        return left

    def passed(self) -> RemoteError:
        """Return the error that says that time is over."""
        return RemoteError(
            f"nothing can be known: the registry did not answer in full within {self.seconds:g} s",
            hint="try again, or give it more time with --timeout",
        )

    def hold(self, work: Callable[[], T]) -> T:
        """Return what `work` returns, or raise what it raises, before the moment.

        Not every wait has a limit of its own (name resolution has none), so it is done by a
        thread that nobody waits for any longer.
        """
        self.remaining()
        results: list[T] = []
        errors: list[BaseException] = []

        def carry_out() -> None:
            try:
                results.append(work())
            except BaseException as error:  # noqa: BLE001  raised again where it is waited for
                errors.append(error)

        thread = threading.Thread(target=carry_out, daemon=True)
        thread.start()
        while thread.is_alive() and not self.interrupted():
            thread.join(min(LOOK, self.remaining()))
        if errors:
            raise errors[0]
        if not results:
            raise CommandError("the verification was ended: the run is being interrupted")
        return results[0]
