"""Units that our preset files name, and whether they are enabled."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from immutable_base.errors import CheckError
from immutable_base.image.program import MountedImage
from immutable_base.model.facts import CardServiceFact, UnitFact

# Every layer under layers/ names its file so.
PRESETS = "usr/lib/systemd/system-preset/40-immutable-base*.preset"
UNITS = Path("usr/lib/systemd/system")
UNIT_FOLDERS = (UNITS, Path("etc/systemd/system"))
"""The second one's files replace the first one's; some releases of NVIDIA's packages use it."""
CARD_SERVICES = "nvidia-*.service"
CONDITION = "ExecCondition="
# systemctl(1): 1 where the worst of the units is disabled.
STATUSES = frozenset({0, 1})

Preset = Literal["enable", "disable"]


def read_units(mounted: MountedImage) -> tuple[UnitFact, ...]:
    """Return the fact of every unit, sorted.

    Raises CheckError if no preset file of ours names a unit (every layer has one), or if systemctl
    does not answer for each of them.
    """
    presets: dict[str, Preset] = {}
    for file in sorted(mounted.root.glob(PRESETS)):
        presets.update(parse_presets(file.read_text()))
    if not presets:
        raise CheckError(f"no unit is named by /{PRESETS}", hint="each layer has a preset file")
    present = sorted(name for name in presets if (mounted.root / UNITS / name).exists())
    states = dict.fromkeys(presets, "absent") | _states(mounted, present)
    return tuple(
        UnitFact(name=name, preset=presets[name], state=states[name]) for name in sorted(presets)
    )


def read_card_services(mounted: MountedImage) -> tuple[CardServiceFact, ...]:
    """Return NVIDIA's services with the conditions on which they start, sorted; templates are none.

    Raises CheckError if systemctl does not answer for each of them.
    """
    found = {
        path.name: path
        for folder in UNIT_FOLDERS
        for path in (mounted.root / folder).glob(CARD_SERVICES)
        if path.is_file() and not path.is_symlink() and "@" not in path.name
    }
    states = _states(mounted, sorted(found))
    return tuple(
        CardServiceFact(name=name, state=state, conditions=_conditions(mounted.root, found[name]))
        for name, state in states.items()
    )


def _conditions(root: Path, unit: Path) -> tuple[str, ...]:
    """Return the conditions of a unit file and its drop-ins. Source: systemd.unit(5)."""
    drop_ins = {
        path.name: path
        for folder in UNIT_FOLDERS
        for path in (root / folder / f"{unit.name}.d").glob("*.conf")
        if path.is_file()
    }
    found: list[str] = []
    for path in (unit, *(path for _, path in sorted(drop_ins.items()))):
        for line in path.read_text("utf-8", "replace").splitlines():
            value = line.strip().removeprefix(CONDITION)
            if value == line.strip():
                continue
            # An empty one takes those before it away.
            found = [*found, value] if value else []
    return tuple(found)


def _states(mounted: MountedImage, units: list[str]) -> dict[str, str]:
    if not units:
        return {}
    text = mounted.read("systemctl", "--root=/", "is-enabled", *units, ok=STATUSES)
    # A line for each, in the same order; systemctl(1).
    lines = text.splitlines()
    if len(lines) != len(units):
        raise CheckError(
            f"systemctl answered for {len(lines)} of {len(units)} units", details=text[-2000:]
        )
    return dict(zip(units, lines, strict=True))


def parse_presets(text: str) -> dict[str, Preset]:
    """Return what each unit is to be. Source: systemd.preset(5)."""
    found: dict[str, Preset] = {}
    for line in text.splitlines():
        match line.split():
            case ["enable", name, *_]:
                found[name] = "enable"
            case ["disable", name, *_]:
                found[name] = "disable"
            case _:  # comments and empty lines
                pass
    return found
