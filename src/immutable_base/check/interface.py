"""What a check is: a small pure function with an id, a title and a reason."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from immutable_base.config.schema import Settings
from immutable_base.model.check import Finding, Level
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan


class HasFacts(Protocol):
    """What a check looks at that needs no plan: any image, a variant's or an instance's."""

    @property
    def facts(self) -> ImageFacts:
        """What was read from the image, and from its base."""

    @property
    def settings(self) -> Settings:
        """The product's configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a check of a variant looks at."""

    facts: ImageFacts
    plan: VariantPlan
    settings: Settings

    @property
    def kernel(self) -> str:
        """The planned kernel release."""
        return self.plan.kernel.chosen or ""

    @property
    def promised_modules(self) -> dict[str, str]:
        """Module names (zfs, nvidia-uvm, ...) that must be in the image, to their version."""
        return {
            ko: module.version
            for module in self.plan.modules
            for ko in self.settings.modules[module.name].ko
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """What a check objects to, or cannot do."""

    message: str
    evidence: tuple[str, ...] = ()
    is_note: bool = False
    """Nothing that we can be blamed for: not run here, or the base image is no better."""


S_contra = TypeVar("S_contra", bound=HasFacts, contravariant=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check(Generic[S_contra]):
    """A check with its name and reason."""

    id: str
    title: str
    reason: str
    function: Callable[[S_contra], Objection | None]

    def run(self, subject: S_contra) -> Finding:
        """Return the finding; a check that breaks is an error, never a pass."""
        try:
            objection = self.function(subject)
        except Exception as error:  # noqa: BLE001  a bug of ours must not look like a sound image
            objection = Objection(
                message=f"the check itself broke: {type(error).__name__}: {error}"
            )
        level = (
            Level.PASS if objection is None else Level.NOTE if objection.is_note else Level.ERROR
        )
        return Finding(
            id=self.id,
            title=self.title,
            reason=self.reason,
            level=level,
            message=objection.message if objection else "",
            evidence=objection.evidence if objection else (),
        )


def unless(evidence: list[str], message: str) -> Objection | None:
    """Return an objection with this evidence, or None if there is none."""
    return Objection(message=message, evidence=tuple(evidence)) if evidence else None


def unless_base(evidence: Iterable[str], message: str, *, base: Iterable[str]) -> Objection | None:
    """Return an objection with what is not the base's as well; a note if there is no such thing.

    `base` is what the same question found in the base image: not our doing, and said all the same.
    """
    found = tuple(evidence)
    new = Counter(found) - Counter(base)
    if new:
        return Objection(message=message, evidence=tuple(new.elements()))
    if found:
        return Objection(
            message=f"{message}: no more than in the base image", evidence=found, is_note=True
        )
    return None
