"""Which kernel, and why: a pure decision on values; every rejected kernel gets a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from immutable_base.model.plan import KernelAction, KernelPlan, RejectedKernel
from immutable_base.solver.evr import Order, key, major_minor, split_evr

FROM_IMAGE, FROM_REPOSITORY = "image", "repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A kernel that repositories offer, whole or in part."""

    evr: str
    release: str | None
    """What its `uname -r` will print; None when no package says it."""
    packages: frozenset[str]
    """Names of the policy's packages, kernel-devel included, that exist at exactly this EVR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The newest kernel that a module accepts, by its own word."""

    module: str
    version: str
    maximum: str
    """`major.minor`; patch levels of it are inside."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelPolicy:
    """What the configuration allows."""

    required: tuple[str, ...]
    """Packages that a swap needs, all at one EVR."""
    devel: str
    allow_up: bool
    allow_down: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelQuestion:
    """Everything that the decision depends on."""

    image_release: str
    image_evr: str
    candidates: Sequence[Candidate]
    ceilings: Sequence[Ceiling]
    modules: tuple[str, ...]
    """Names of the variant's modules; without any, no kernel-devel is needed."""
    known_break: Callable[[str], str | None]
    """Returns the ledger's sentence for a kernel's `version-release` on which a module breaks."""
    policy: KernelPolicy


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The pin, and what a person should know about it."""

    plan: KernelPlan
    reasons: tuple[str, ...]
    """When held: why, and what would release it. Otherwise: why this kernel."""


def decide(question: KernelQuestion, order: Order) -> Decision:
    """Choose a kernel.

    The image's own if its exact kernel-devel can be had and every module accepts it: that changes
    nothing in the base. Else the newest complete set that every module accepts, upwards or
    downwards as far as the policy allows. Else none: the variant is held.
    """
    if not question.modules:
        reason = f"keeps kernel {question.image_release}: no module needs another"
        return _decision(question, order, _image(question), {}, reason)
    rejected: dict[str, str] = {}
    own = _why_not_own(question, order)
    if own is None:
        reason = f"keeps kernel {question.image_release}: its {question.policy.devel} is there"
        _reject_rest(question, order, rejected)
        return _decision(question, order, _image(question), rejected, reason)
    rejected[question.image_evr] = own
    chosen = _newest_that_fits(question, order, rejected)
    if chosen is None:
        return _hold(question, order, rejected)
    decision = _decision(question, order, chosen, rejected, f"kernel {chosen.release}: {own}")
    newest = _why_not_newest(question, chosen, rejected, order)
    return replace(decision, reasons=(*decision.reasons, *newest))


def _newest_that_fits(
    question: KernelQuestion, order: Order, rejected: dict[str, str]
) -> Candidate | None:
    """Return the newest kernel that can be swapped in; note why each other one is not it."""
    chosen: Candidate | None = None
    for candidate in sorted(question.candidates, key=lambda c: key(order)(c.evr), reverse=True):
        if order(candidate.evr, question.image_evr) == 0:
            continue
        why = _why_not(question, order, candidate)
        if why is not None:
            rejected[candidate.evr] = why
        elif chosen is None:
            chosen = candidate
        else:
            rejected[candidate.evr] = f"older than {chosen.evr}, which was chosen"
    return chosen


def _why_not_newest(
    question: KernelQuestion, chosen: Candidate, rejected: dict[str, str], order: Order
) -> tuple[str, ...]:
    """Say why it is not the newest kernel that is offered."""
    newest = max((c.evr for c in question.candidates), key=key(order))
    if order(newest, chosen.evr) <= 0 or order(newest, question.image_evr) == 0:
        return ()
    return (f"not the newest offered, {newest}: {rejected[newest]}",)


def _image(question: KernelQuestion) -> Candidate:
    return Candidate(evr=question.image_evr, release=question.image_release, packages=frozenset())


def _why_not_own(question: KernelQuestion, order: Order) -> str | None:
    """Return why the image's own kernel cannot stay, None if it can."""
    devel = any(
        candidate.release == question.image_release and question.policy.devel in candidate.packages
        for candidate in question.candidates
    )
    why = []
    if not devel:
        why.append(
            f"no repository has {question.policy.devel} for the image's own kernel "
            f"{question.image_release}"
        )
    refusal = _refusal(question, order, question.image_evr)
    if refusal:
        why.append(f"the image's own kernel is {refusal}")
    return "; ".join(why) or None


def _why_not(question: KernelQuestion, order: Order, candidate: Candidate) -> str | None:
    """Return why a kernel cannot be swapped in, None if it can."""
    policy = question.policy
    missing = sorted({*policy.required, policy.devel} - candidate.packages)
    if missing:
        return f"incomplete: no {', '.join(missing)} at this version"
    if candidate.release is None:
        return "no package says what its `uname -r` prints"
    refusal = _refusal(question, order, candidate.evr)
    if refusal:
        return refusal
    direction = order(candidate.evr, question.image_evr)
    if direction > 0 and not policy.allow_up:
        return "newer than the image's kernel; the policy forbids going up (kernel.allow_up)"
    if direction < 0 and not policy.allow_down:
        return "older than the image's kernel; the policy forbids going down (kernel.allow_down)"
    return None


def _refusal(question: KernelQuestion, order: Order, evr: str) -> str | None:
    """Return which module does not accept a kernel, and by what evidence."""
    _, version, release = split_evr(evr)
    for ceiling in question.ceilings:
        if order(major_minor(version), ceiling.maximum) > 0:
            return (
                f"above {ceiling.maximum}, the newest kernel that {ceiling.module} "
                f"{ceiling.version} accepts"
            )
    return question.known_break(f"{version}-{release}")


def lowest(ceilings: Sequence[Ceiling], order: Order) -> Ceiling | None:
    """Return the module with the smallest maximum, None when no module states one."""
    return min(ceilings, key=lambda ceiling: key(order)(ceiling.maximum), default=None)


def _reject_rest(question: KernelQuestion, order: Order, rejected: dict[str, str]) -> None:
    for candidate in question.candidates:
        if order(candidate.evr, question.image_evr) != 0:
            why = _why_not(question, order, candidate)
            rejected[candidate.evr] = why or "not needed: the image's own kernel is kept"


def _hold(question: KernelQuestion, order: Order, rejected: dict[str, str]) -> Decision:
    modules = " and ".join(question.modules)
    ceiling = lowest(question.ceilings, order)
    at_most = f" at or under {ceiling.maximum}" if ceiling else ""
    newest = max(question.candidates, key=lambda c: key(order)(c.evr), default=None)
    offer = f"the newest offered is {newest.evr}" if newest else "none is offered at all"
    why = f"held: no kernel{at_most} fits {modules}: {rejected[question.image_evr]}; {offer}"
    ways = [
        f"a complete kernel set{at_most} on which nothing is known to break",
        f"a release of {modules} that accepts a kernel that is offered",
    ]
    if _refusal(question, order, question.image_evr) is None:
        ways.insert(0, f"{question.policy.devel} for {question.image_release} in a repository")
    released = f"released by: {', or '.join(ways)}"
    return Decision(plan=_plan(question, order, None, rejected), reasons=(why, released))


def _decision(
    question: KernelQuestion,
    order: Order,
    chosen: Candidate,
    rejected: dict[str, str],
    reason: str,
) -> Decision:
    return Decision(plan=_plan(question, order, chosen, rejected), reasons=(reason,))


def _plan(
    question: KernelQuestion, order: Order, chosen: Candidate | None, rejected: dict[str, str]
) -> KernelPlan:
    ceiling = lowest(question.ceilings, order)
    newest_first = sorted(rejected, key=key(order), reverse=True)
    return KernelPlan(
        image=question.image_release,
        image_evr=question.image_evr,
        chosen=chosen.release if chosen else None,
        chosen_evr=chosen.evr if chosen else None,
        action=_action(order(chosen.evr, question.image_evr)) if chosen else None,
        source=_source(chosen, question) if chosen else None,
        ceiling=ceiling.maximum if ceiling else None,
        rejected=tuple(RejectedKernel(evr=evr, reason=rejected[evr]) for evr in newest_first),
    )


def _action(direction: int) -> KernelAction:
    if direction == 0:
        return KernelAction.KEEP
    return KernelAction.UP if direction > 0 else KernelAction.DOWN


def _source(chosen: Candidate, question: KernelQuestion) -> str:
    return FROM_IMAGE if chosen.release == question.image_release else FROM_REPOSITORY
