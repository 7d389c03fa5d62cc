"""Ask again while a service is not to be had, for a while; never what was refused."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

import tenacity

from immutable_base.errors import CommandError, UnavailableError
from immutable_base.process import Command, Result, Runner, is_interrupted
from immutable_base.tools.outages import remote_kind

log = logging.getLogger(__name__)
T = TypeVar("T")
SECONDS = 60.0
"""For all that a publication loses to services: a token lives for minutes, a job can be started
again. An attempt that hangs for longer is the last."""
FIRST_WAIT, LONGEST_WAIT = 1.0, 15.0
"""Seconds between two attempts, doubled each time, and a random part of a second more."""


@dataclass(slots=True, kw_only=True)
class Patience:
    """How much a publication loses to services, as a whole: each loss leaves less for the next."""

    seconds: float = field(default_factory=lambda: SECONDS)
    first_wait: float = field(default_factory=lambda: FIRST_WAIT)
    waits: list[float] = field(default_factory=list)
    """Those that there were."""
    tried: list[float] = field(default_factory=list)
    """Seconds of attempts that failed before them: a service that hangs takes longest."""
    _began: float = field(default=0.0, init=False)

    def ask(self, action: Callable[[], T]) -> T:
        """Return what `action` returns; it is called again while a service is not to be had.

        Raises what it raises: anything else at once, and that once the time is over or the run is
        being interrupted.
        """
        wait = tenacity.wait_exponential(multiplier=self.first_wait, max=LONGEST_WAIT)
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(may_pass),
            wait=wait + tenacity.wait_random(0, min(1.0, self.first_wait)),
            before=self._begin,
            stop=self._is_over,
            before_sleep=self._note,
            reraise=True,
        )
        return retrying(action)

    def runner(self, run: Runner) -> Runner:
        """Return what starts a program again while its output says that a service is not there.

        Every program of a publication can be: pushes and tags are the same the second time, and one
        signature more than needed is one that holds.
        """

        def again(command: Command) -> Result:
            return self.ask(lambda: run(command))

        return again

    def _begin(self, _state: tenacity.RetryCallState) -> None:
        self._began = time.monotonic()

    def _is_over(self, state: tenacity.RetryCallState) -> bool:
        """Tell whether the next wait would be too long."""
        lost = sum(self.waits) + sum(self.tried) + time.monotonic() - self._began
        return is_interrupted() or lost + state.upcoming_sleep > self.seconds

    def _note(self, state: tenacity.RetryCallState) -> None:
        self.tried.append(time.monotonic() - self._began)
        self.waits.append(state.upcoming_sleep)
        error = state.outcome.exception() if state.outcome else None
        why = getattr(error, "details", None) or str(error)
        log.warning(
            "asked again in %.0f s: %s", state.upcoming_sleep, (why.splitlines() or [""])[-1][:300]
        )


def may_pass(error: BaseException) -> bool:
    """Tell whether an error says that a service is not to be had at the moment."""
    if isinstance(error, CommandError):
        return remote_kind(error.details or "") is UnavailableError
    return isinstance(error, UnavailableError)
