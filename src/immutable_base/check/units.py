"""Checks of the units that start by themselves."""

from __future__ import annotations

from immutable_base.check.interface import Check, Objection, Subject, unless
from immutable_base.model.facts import UnitFact


def units_preset(subject: Subject) -> Objection | None:
    """What a preset of ours enables is enabled, and what it disables is not."""
    wrong = [
        f"{unit.name}: {unit.state}, to be {unit.preset}d"
        for unit in subject.facts.units
        if not _is_as_preset(unit)
    ]
    return unless(wrong, "units are not as /usr/lib/systemd/system-preset says")


def _is_as_preset(unit: UnitFact) -> bool:
    if unit.preset == "enable":
        return unit.state == "enabled"
    # A unit that is static or not there does not start by itself either.
    return not unit.state.startswith(("enabled", "unknown"))


CHECKS = (
    Check(
        id="units-preset",
        title="services enabled as our presets say",
        reason="no pool is imported and nobody can log in if the unit for it never starts",
        function=units_preset,
    ),
)
