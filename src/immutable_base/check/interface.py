"""How a check is written: a small pure function with an id, a title and a reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from immutable_base.config.schema import Settings
from immutable_base.model.check import Finding, Level
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What a check looks at."""

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
class Problem:
    """What a check objects to, or cannot do."""

    words: str
    evidence: tuple[str, ...] = ()
    is_note: bool = False
    """The check was not run here, for a stated reason."""


CheckFunction = Callable[[Subject], Problem | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """A check with its name and reason."""

    id: str
    title: str
    why: str
    function: CheckFunction

    def run(self, subject: Subject) -> Finding:
        """Return the finding; a check that breaks is an error, never a pass."""
        try:
            problem = self.function(subject)
        except Exception as error:  # noqa: BLE001  a bug of ours must not look like a sound image
            problem = Problem(words=f"the check itself broke: {type(error).__name__}: {error}")
        level = Level.PASS if problem is None else Level.NOTE if problem.is_note else Level.ERROR
        return Finding(
            id=self.id,
            title=self.title,
            why=self.why,
            level=level,
            words=problem.words if problem else "",
            evidence=problem.evidence if problem else (),
        )


@dataclass(slots=True)
class Registry:
    """Checks in the order in which they were written."""

    checks: list[Check] = field(default_factory=list)

    def check(self, name: str, title: str, why: str) -> Callable[[CheckFunction], CheckFunction]:
        """Register the function that follows."""

        def register(function: CheckFunction) -> CheckFunction:
            self.checks.append(Check(id=name, title=title, why=why, function=function))
            return function

        return register


def unless(problems: list[str], words: str) -> Problem | None:
    """Return a problem with these pieces of evidence, or None if there are none."""
    return Problem(words=words, evidence=tuple(problems)) if problems else None
