"""Variants for which no kernel was even looked for: what their plan says instead. Pure."""

from __future__ import annotations

from immutable_base.config.schema import Settings
from immutable_base.errors import ImmutableBaseError
from immutable_base.model.plan import BasePlan, KernelPlan, VariantPlan, Verdict
from immutable_base.plan.base_image import Base
from immutable_base.repository.keys import not_pinned


def unpinned_keys(settings: Settings, name: str) -> tuple[str, ...]:
    """Return the keys that a variant needs and that nobody has pinned yet."""
    used = [
        settings.repositories[item] for item in settings.repositories_of(settings.variants[name])
    ]
    names = {key for item in used for key in (item.key, item.metadata_key) if key}
    return tuple(key for key in settings.keys if key in names and not settings.keys[key].is_pinned)


def held_for(settings: Settings, name: str, keys: tuple[str, ...]) -> VariantPlan:
    """Return the plan of a variant that is held until these keys are pinned.

    Nothing was read for it, not even which image its base is.
    """
    reasons = tuple(not_pinned(key) for key in keys)
    return _undecided(settings, name, Verdict.HOLD, None, reasons)


def failed(
    settings: Settings, name: str, error: ImmutableBaseError, base: Base | None
) -> VariantPlan:
    """Return the plan of a variant that could not be planned, with the error's own message."""
    details = (error.details or "").splitlines()
    hint = [f"hint: {error.hint}"] if error.hint else []
    reasons = (error.message, *details, *hint)
    plan = _undecided(settings, name, Verdict.FAIL, base, reasons)
    return plan.model_copy(update={"exit_code": error.exit_code})


def _undecided(
    settings: Settings, name: str, verdict: Verdict, base: Base | None, reasons: tuple[str, ...]
) -> VariantPlan:
    stream = settings.variants[name].stream
    reference = settings.streams[stream].base
    return VariantPlan(
        name=name,
        stream=stream,
        verdict=verdict,
        base=base.plan if base else BasePlan(reference=reference, digest="", created=0),
        kernel=KernelPlan(
            image=base.kernel.release if base else "",
            image_evr=base.kernel.evr if base else "",
            chosen=None,
            chosen_evr=None,
            action=None,
            source=None,
            ceiling=None,
            rejected=(),
        ),
        modules=(),
        layers=(),
        packages=(),
        reasons=reasons,
    )
