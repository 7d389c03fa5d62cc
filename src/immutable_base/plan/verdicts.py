"""The record of a variant that is not built: held or failed, and why."""

from __future__ import annotations

import logging
from collections.abc import Iterable

from immutable_base.config.schema import Settings
from immutable_base.errors import ImmutableBaseError
from immutable_base.model.plan import (
    RELEASED_BY,
    BasePlan,
    KernelPlan,
    SkippedRepository,
    VariantPlan,
    Verdict,
)
from immutable_base.plan.base_image import Base
from immutable_base.repository.keys import not_pinned
from immutable_base.solver.transaction import InstalledNewerError

log = logging.getLogger(__name__)


def failed(
    settings: Settings, name: str, error: ImmutableBaseError, base: Base | None
) -> VariantPlan:
    """Return the record of a variant that could not be planned, with the error's own message."""
    log.warning("%s cannot be planned: %s", name, error.message)
    details = (error.details or "").splitlines()
    hint = [f"hint: {error.hint}"] if error.hint else []
    return _not_built(settings, name, base).model_copy(
        update={
            "verdict": Verdict.FAIL,
            "reasons": (error.message, *details, *hint),
            "exit_code": error.exit_code,
        }
    )


def held(
    settings: Settings, name: str, base: Base, reasons: tuple[str, ...], warnings: tuple[str, ...]
) -> VariantPlan:
    """Return the record of a variant for which something outside the run has to change first."""
    return _not_built(settings, name, base).model_copy(
        update={"reasons": reasons, "warnings": warnings}
    )


def held_for_keys(settings: Settings, name: str, keys: tuple[str, ...]) -> VariantPlan:
    """Return the record of a variant that is held until these keys are pinned.

    Nothing was read for it, not even which image its base is.
    """
    reasons = (
        *(f"held: {not_pinned(key)}" for key in keys),
        f"{RELEASED_BY}a pin of {' and of '.join(keys)}",
    )
    return _not_built(settings, name, None).model_copy(update={"reasons": reasons})


def newer_than_offered(
    error: InstalledNewerError, skipped: Iterable[SkippedRepository]
) -> tuple[str, ...]:
    """Return why a base image that is newer than the repositories is held, and what releases it.

    `skipped` are repositories that may have helped.
    """
    skews = [
        f"{skew.name} {skew.installed} is installed, {skew.repository} offers {skew.offered}"
        for skew in error.skews
    ]
    ways = ", ".join(f"{skew.name} {skew.installed}" for skew in error.skews)
    return (
        f"held: the base image is newer than the repositories: {'; '.join(skews)}",
        *(f"repository '{item.id}' is not used: {item.reason}" for item in skipped),
        f"{RELEASED_BY}repositories that have {ways} or newer, or another base image",
    )


def _not_built(settings: Settings, name: str, base: Base | None) -> VariantPlan:
    stream = settings.variants[name].stream
    reference = settings.streams[stream].base
    return VariantPlan(
        name=name,
        stream=stream,
        verdict=Verdict.HOLD,
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
        reasons=(),
    )
