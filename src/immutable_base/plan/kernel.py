"""Which kernel, and why: a pure decision on values; every rejected kernel gets a sentence."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace

from immutable_base.model.evr import Evr
from immutable_base.model.plan import (
    NOT_NEWEST,
    OWN_KERNEL_IS,
    RELEASED_BY,
    KernelAction,
    KernelPlan,
    RejectedKernel,
)
from immutable_base.solver.order import Order, major_minor, order_key

FROM_IMAGE, FROM_REPOSITORY = "image", "repository"


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A kernel that repositories offer, whole or in part."""

    evr: str
    release: str | None
    """What its `uname -r` will print; None when no package states it."""
    packages: frozenset[str]
    """Names of the policy's packages, kernel-devel included, that exist at exactly this EVR."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ceiling:
    """The newest kernel that a module accepts, as it declares itself."""

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
class KernelConstraints:
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


def decide(constraints: KernelConstraints, order: Order) -> Decision:
    """Choose a kernel.

    The image's own if its exact kernel-devel is available and every module accepts it: that changes
    nothing in the base. Else the newest complete set that every module accepts, upwards or
    downwards as far as the policy allows. Else none: the variant is held.
    """
    return _KernelChoice(constraints, order).decide()


def lowest(ceilings: Sequence[Ceiling], order: Order) -> Ceiling | None:
    """Return the module with the smallest maximum, None when no module states one."""
    return min(ceilings, key=lambda ceiling: order_key(order)(ceiling.maximum), default=None)


@dataclass(frozen=True, slots=True)
class _KernelChoice:
    """One decision under way."""

    constraints: KernelConstraints
    order: Order
    rejected: dict[str, str] = field(default_factory=dict)
    """EVR of each kernel that is not it, and why."""

    def decide(self) -> Decision:
        asked = self.constraints
        if not asked.modules:
            return self._chosen(
                self._image(), f"keeps kernel {asked.image_release}: no module needs another"
            )
        reason = self._why_not_own()
        if reason is None:
            self._reject_others()
            return self._chosen(
                self._image(),
                f"keeps kernel {asked.image_release}: its {asked.policy.devel} is there",
            )
        self.rejected[asked.image_evr] = reason
        chosen = self._newest_that_fits()
        if chosen is None:
            return self._hold()
        decision = self._chosen(chosen, f"kernel {chosen.release}: {reason}")
        return replace(decision, reasons=(*decision.reasons, *self._why_not_newest(chosen)))

    def _image(self) -> Candidate:
        return Candidate(
            evr=self.constraints.image_evr,
            release=self.constraints.image_release,
            packages=frozenset(),
        )

    def _newest_first(self) -> list[Candidate]:
        key = order_key(self.order)
        return sorted(self.constraints.candidates, key=lambda c: key(c.evr), reverse=True)

    def _from_image(self, evr: str) -> int:
        """Return the direction of a kernel, seen from the image's own: negative is older."""
        return self.order(evr, self.constraints.image_evr)

    def _newest_that_fits(self) -> Candidate | None:
        """Return the newest kernel that can be swapped in; note why each other one is not it."""
        chosen: Candidate | None = None
        for candidate in self._newest_first():
            if self._from_image(candidate.evr) == 0:
                continue
            reason = self._why_not(candidate)
            if reason is not None:
                self.rejected[candidate.evr] = reason
            elif chosen is None:
                chosen = candidate
            else:
                self.rejected[candidate.evr] = f"older than {chosen.evr}, which was chosen"
        return chosen

    def _why_not_newest(self, chosen: Candidate) -> tuple[str, ...]:
        """Return why it is not the newest kernel that is offered, nothing if it is."""
        newest = self._newest_first()[0].evr
        if self.order(newest, chosen.evr) <= 0 or self._from_image(newest) == 0:
            return ()
        return (f"{NOT_NEWEST}{newest}: {self.rejected[newest]}",)

    def _why_not_own(self) -> str | None:
        """Return why the image's own kernel cannot stay, None if it can."""
        asked = self.constraints
        devel = asked.policy.devel
        reasons = []
        if not any(
            candidate.release == asked.image_release and devel in candidate.packages
            for candidate in asked.candidates
        ):
            reasons.append(
                f"no repository has {devel} for the image's own kernel {asked.image_release}"
            )
        refusal = self._refusal(asked.image_evr)
        if refusal:
            reasons.append(f"{OWN_KERNEL_IS}{refusal}")
        return "; ".join(reasons) or None

    def _why_not(self, candidate: Candidate) -> str | None:
        """Return why a kernel cannot be swapped in, None if it can."""
        policy = self.constraints.policy
        missing = sorted({*policy.required, policy.devel} - candidate.packages)
        if missing:
            return f"incomplete: no {', '.join(missing)} at this version"
        if candidate.release is None:
            return "no package states what its `uname -r` prints"
        refusal = self._refusal(candidate.evr)
        if refusal:
            return refusal
        direction = self._from_image(candidate.evr)
        if direction > 0 and not policy.allow_up:
            return "newer than the image's kernel; the policy forbids going up (kernel.allow_up)"
        if direction < 0 and not policy.allow_down:
            return (
                "older than the image's kernel; the policy forbids going down (kernel.allow_down)"
            )
        return None

    def _refusal(self, evr: str) -> str | None:
        """Return which module does not accept a kernel, and by what evidence."""
        kernel = Evr.parse(evr)
        for ceiling in self.constraints.ceilings:
            if self.order(major_minor(kernel.version), ceiling.maximum) > 0:
                return (
                    f"above {ceiling.maximum}, the newest kernel that {ceiling.module} "
                    f"{ceiling.version} accepts"
                )
        return self.constraints.known_break(kernel.without_epoch)

    def _reject_others(self) -> None:
        for candidate in self.constraints.candidates:
            if self._from_image(candidate.evr) != 0:
                reason = self._why_not(candidate)
                self.rejected[candidate.evr] = (
                    reason or "not needed: the image's own kernel is kept"
                )

    def _hold(self) -> Decision:
        asked = self.constraints
        modules = " and ".join(asked.modules)
        ceiling = lowest(asked.ceilings, self.order)
        at_most = f" at or under {ceiling.maximum}" if ceiling else ""
        newest = next(iter(self._newest_first()), None)
        offer = f"the newest offered is {newest.evr}" if newest else "none is offered at all"
        own = self.rejected[asked.image_evr]
        reason = f"held: no kernel{at_most} fits {modules}: {own}; {offer}"
        ways = [
            f"a complete kernel set{at_most} on which nothing is known to break",
            f"a release of {modules} that accepts a kernel that is offered",
        ]
        if self._refusal(asked.image_evr) is None:
            ways.insert(0, f"{asked.policy.devel} for {asked.image_release} in a repository")
        released = f"{RELEASED_BY}{', or '.join(ways)}"
        return Decision(plan=self._plan(None), reasons=(reason, released))

    def _chosen(self, chosen: Candidate, reason: str) -> Decision:
        return Decision(plan=self._plan(chosen), reasons=(reason,))

    def _plan(self, chosen: Candidate | None) -> KernelPlan:
        asked = self.constraints
        ceiling = lowest(asked.ceilings, self.order)
        newest_first = sorted(self.rejected, key=order_key(self.order), reverse=True)
        return KernelPlan(
            image=asked.image_release,
            image_evr=asked.image_evr,
            chosen=chosen.release if chosen else None,
            chosen_evr=chosen.evr if chosen else None,
            action=self._action(chosen) if chosen else None,
            source=self._source(chosen) if chosen else None,
            ceiling=ceiling.maximum if ceiling else None,
            rejected=tuple(
                RejectedKernel(evr=evr, reason=self.rejected[evr]) for evr in newest_first
            ),
        )

    def _action(self, chosen: Candidate) -> KernelAction:
        direction = self._from_image(chosen.evr)
        if direction == 0:
            return KernelAction.KEEP
        return KernelAction.UP if direction > 0 else KernelAction.DOWN

    def _source(self, chosen: Candidate) -> str:
        same = chosen.release == self.constraints.image_release
        return FROM_IMAGE if same else FROM_REPOSITORY
