"""What the answers about keys, bases, repositories and variants mean for the first night: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from immutable_base.config.schema import Settings
from immutable_base.errors import ImmutableBaseError, RemoteError, VerificationError
from immutable_base.keys.answers import KEY, METADATA, PIN, PLACES, KeyFinding
from immutable_base.keys.check import KeyReport
from immutable_base.model.online import OnlineFinding, State
from immutable_base.model.plan import VariantPlan, Verdict
from immutable_base.plan.base_image import COMPOSE_LABEL, Base
from immutable_base.plan.freshness import DAY, staleness
from immutable_base.plan.support import judge_support, today_of
from immutable_base.repository.keys import not_pinned
from immutable_base.repository.metadata import Metadata, Source

ADDRESS = re.compile(r"(https?|file)://\S+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Offered:
    """What a repository with verified metadata holds."""

    checksums: Mapping[str, int]
    """Number of packages by the algorithm that describes them."""
    unproven: str = ""
    """What is wrong with the first package that cannot be used at all; empty without one."""
    sample: str = ""
    """A package that was fetched, and whose signature is good; empty in an empty repository."""


def fault(kind: str, name: str, error: ImmutableBaseError) -> OnlineFinding:
    """Return the finding about something that would fail, in the error's own words.

    Of long details only the end, and the address that they begin with.
    """
    first, *others = [line for line in (error.details or "").splitlines() if line.strip()] or [""]
    if not ADDRESS.match(first):
        first = "" if others else first
    message = ": ".join(filter(None, (error.message, first, *others[-1:])))
    return OnlineFinding.model_validate(
        {
            "kind": kind,
            "name": name,
            "state": State.FAULT,
            "message": message,
            "exit_code": error.exit_code,
        }
    )


def key_finding(report: KeyReport) -> OnlineFinding:
    """Return what all places of a key, and the signatures that it should have made, mean."""
    name, bad = report.name, [item for item in report.findings if not item.ok]
    dead = [_dead(answer.place, answer.error) for answer in report.places if answer.error]
    if len(dead) == len(report.places):
        error = RemoteError(f"none of its {len(dead)} places answers", details="; ".join(dead))
        return fault("key", name, error)
    if not report.key.is_pinned:
        found = f"found {report.found.fingerprint}; " if report.found else ""
        return OnlineFinding(
            kind="key", name=name, state=State.HELD, message=f"{found}{not_pinned(name)}"
        )
    wrong = [item for item in bad if item.name in {KEY, PIN, METADATA}]
    if wrong:
        return fault("key", name, VerificationError(_said(wrong)))
    fingerprint = report.found.fingerprint if report.found else ""
    message = "; ".join(
        (fingerprint, *(_said([item]) for item in report.findings if item.name == PLACES), *dead)
    )
    state = State.WARNING if bad else State.OK
    return OnlineFinding(kind="key", name=name, state=state, message=message)


def base_finding(
    settings: Settings, stream: str, base: Base | ImmutableBaseError, now: float
) -> OnlineFinding:
    """Return what a stream's base image is, and how long it is supported."""
    reference = settings.streams[stream].base
    if isinstance(base, ImmutableBaseError):
        return fault("base", reference, base)
    plan = base.plan
    allowed = settings.streams[stream].allow_unsupported
    support = judge_support(plan, stream, today_of(plan, now), allowed=allowed)
    said = (
        f"{plan.digest[:19]} of {_day(plan.created)}, kernel {base.kernel.release}",
        f"{COMPOSE_LABEL} {plan.compose}" if plan.compose else f"no label {COMPOSE_LABEL}",
        *(support.held or support.warnings or _supported(plan.support_end)),
    )
    state = State.HELD if support.held else State.WARNING if support.warnings else State.OK
    return OnlineFinding(kind="base", name=reference, state=state, message="; ".join(said))


def repository_finding(
    settings: Settings, metadata: Metadata, offered: Offered | ImmutableBaseError, now: float
) -> OnlineFinding:
    """Return what a repository with verified metadata holds, and how old that is."""
    source = metadata.source
    stale = staleness(metadata, settings.repositories[source.id], now)
    if stale is not None:
        return fault("repository", source.id, stale)
    if isinstance(offered, ImmutableBaseError):
        return fault("repository", source.id, offered)
    kinds = ", ".join(f"{count:,} by {name}" for name, count in sorted(offered.checksums.items()))
    key = settings.repositories[source.id].key
    said = (
        f"packages: {kinds or 'none'}",
        f"metadata {'signed' if metadata.signed_by else 'not signed'}, {_age(metadata, now)}",
        f"{offered.sample} is signed by `{key}`" if offered.sample else "",
        offered.unproven,
        f"has left {source.url}: the archive gets no updates any more" if metadata.archived else "",
    )
    doubtful = metadata.archived or offered.unproven or not offered.sample
    state = State.WARNING if doubtful else State.OK
    return OnlineFinding(
        kind="repository", name=source.id, state=state, message="; ".join(filter(None, said))
    )


def unpinned_finding(name: str, source: Source, keys: Iterable[str]) -> OnlineFinding:
    """Return the finding about a repository that answers, and of which nothing is believed yet."""
    said = " and ".join(f"`{key}`" for key in keys)
    return OnlineFinding(
        kind="repository",
        name=name,
        state=State.HELD,
        message=f"{source.url} has metadata; of nothing in it is known whose it is before the key "
        f"{said} is pinned",
    )


def skipped_finding(name: str, reason: str) -> OnlineFinding:
    """Return the finding about an optional repository that is done without."""
    return OnlineFinding(
        kind="repository", name=name, state=State.WARNING, message=f"not used: {reason}"
    )


def variant_finding(plan: VariantPlan) -> OnlineFinding:
    """Return what would become of a variant."""
    if plan.verdict is Verdict.BUILD:
        modules = (_module(item.name, item.version, item.maximum) for item in plan.modules)
        action = plan.kernel.action.value if plan.kernel.action else ""
        others = ", ".join(item.evr for item in plan.kernel.rejected)
        said = (
            f"would be built: kernel {plan.kernel_release} ({action})",
            *modules,
            f"kernels that are not used: {others}" if others else "",
            *plan.warnings,
        )
    else:
        said = (*plan.reasons, *plan.warnings)
    states = {Verdict.HOLD: State.HELD, Verdict.FAIL: State.FAULT}
    state = states.get(plan.verdict, State.WARNING if plan.warnings else State.OK)
    return OnlineFinding(
        kind="variant",
        name=plan.name,
        state=state,
        message="; ".join(filter(None, said)),
        exit_code=plan.exit_code,
    )


def _dead(place: str, error: str) -> str:
    return error if place in error else f"{place}: {error}"


def _module(name: str, version: str, maximum: str | None) -> str:
    return f"{name} {version}" + (f" (for Linux up to {maximum})" if maximum else "")


def _said(findings: Iterable[KeyFinding]) -> str:
    return "; ".join(f"{item.name}: {item.message}" for item in findings)


def _supported(support_end: str) -> tuple[str, ...]:
    return (f"supported until {support_end}",) if support_end else ("no SUPPORT_END",)


def _day(moment: float) -> str:
    return f"{datetime.fromtimestamp(moment, UTC):%Y-%m-%d}"


def _age(metadata: Metadata, now: float) -> str:
    if metadata.timestamp is None:
        return "does not say how old it is"
    days = max(0, int(now - metadata.timestamp)) // DAY
    return f"of {_day(metadata.timestamp)} ({days} days old)"
