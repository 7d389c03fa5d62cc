"""The repositories of a plan: how old each one is, and which are not used."""

from __future__ import annotations

from datetime import UTC, datetime

from immutable_base.model.plan import Plan, RepositoryPlan

DAY = 86400


def repository_lines(plan: Plan, now: float) -> tuple[str, ...]:
    """Return one line for each repository; `now` is in seconds since 1970."""
    return (
        *(f"{item.id}: {_used(item, now)}" for item in plan.repositories),
        *(f"{item.id}: not used on stream {item.stream}: {item.reason}" for item in plan.skipped),
    )


def _used(repository: RepositoryPlan, now: float) -> str:
    signed = "signed" if repository.metadata_signed_by else "not signed"
    place = f", from its archive {repository.url}" if repository.archived else ""
    return f"{_age(repository.timestamp, now)}, {signed}{place}"


def _age(timestamp: int | None, now: float) -> str:
    if timestamp is None:
        return "metadata that does not say when it was made"
    made = f"metadata of {datetime.fromtimestamp(timestamp, UTC):%Y-%m-%d}"
    days = max(0, int(now - timestamp)) // DAY
    return f"{made}, {days} day{'' if days == 1 else 's'} old"
