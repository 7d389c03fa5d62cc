"""Checks of the units that start by themselves."""

from __future__ import annotations

from immutable_base.check.interface import Check, HasFacts, Objection, unless
from immutable_base.model.facts import UnitFact

NVIDIA = "0x10de"
"""NVIDIA's vendor number, as /sys/bus/pci/devices/*/vendor has it. Source: pci.ids."""


def units_preset(subject: HasFacts) -> Objection | None:
    """What a preset of ours enables is enabled, and what it disables is not."""
    wrong = [
        f"{unit.name}: {unit.state}, to be {unit.preset}d"
        for unit in subject.facts.units
        if not _is_as_preset(unit)
    ]
    return unless(wrong, "units are not as /usr/lib/systemd/system-preset says")


def services_need_card(subject: HasFacts) -> Objection | None:
    """NVIDIA's services that start by themselves do so only where there is a card."""
    enabled = {unit.name for unit in subject.facts.units if unit.preset == "enable"}
    wrong = [
        f"{service.name}: no ExecCondition= on PCI vendor {NVIDIA}"
        for service in subject.facts.card_services
        if (service.name in enabled or service.state.startswith("enabled"))
        and not any(NVIDIA in condition for condition in service.conditions)
    ]
    return unless(wrong, "a host without a card would have failed units")


def _is_as_preset(unit: UnitFact) -> bool:
    if unit.preset == "enable":
        return unit.state == "enabled"
    # A unit that is static or not there does not start by itself either.
    return not unit.state.startswith(("enabled", "unknown"))


CHECKS: tuple[Check[HasFacts], ...] = (
    Check(
        id="units-preset",
        title="services enabled as our presets say",
        reason="no pool is imported and nobody can log in if the unit for it never starts",
        function=units_preset,
    ),
    Check(
        id="services-need-card",
        title="NVIDIA's services skipped on hosts without a card",
        reason="a host with failed units is degraded, and nobody looks at the next failure",
        function=services_need_card,
    ),
)
