"""How long the base image's release is supported, by its own statement: pure.

Source: os-release(5), SUPPORT_END: the first day on which support is not provided.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

from immutable_base.model.plan import RELEASED_BY, BasePlan

WARNED_BEFORE = timedelta(days=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """What the end of support means for a stream today."""

    held: tuple[str, ...] = ()
    """Why nothing is built, and what would release it; empty where it is no obstacle."""
    warnings: tuple[str, ...] = ()


def today_of(base: BasePlan, now: float) -> date:
    """Return the day, in UTC: a clock that is behind the base image's own time is wrong.

    `now` is in seconds since 1970.
    """
    return datetime.fromtimestamp(max(now, base.created), UTC).date()


def judge_support(base: BasePlan, stream: str, today: date, *, allowed: bool) -> Support:
    """Tell whether a stream's base image is supported; `allowed`: build it although it is not.

    No date depends on `today`: the same inputs give the same text every day.
    """
    if not base.support_end:
        return Support()
    try:
        end = date.fromisoformat(base.support_end)
    except ValueError:
        text = f"SUPPORT_END of the base image is no date: '{base.support_end[:40]}'"
        return Support(warnings=(text,))
    ended = f"the base image has no support since {end} (its SUPPORT_END)"
    if today >= end and allowed:
        return Support(warnings=(f"{ended}: streams.{stream}.allow_unsupported",))
    if today >= end:
        ways = (
            f"a base image that is supported (streams.{stream}.base), or "
            f"streams.{stream}.allow_unsupported = true"
        )
        return Support(held=(f"held: {ended}", f"{RELEASED_BY}{ways}"))
    if today >= end - WARNED_BEFORE:
        text = f"the base image has no support from {end} on (its SUPPORT_END)"
        return Support(warnings=(f"{text}: let streams.{stream} move to a newer release",))
    return Support()
