"""Units that our preset files name, and whether they are enabled."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from immutable_base.image.program import Program
from immutable_base.model.facts import UnitFact

# Every layer under layers/ names its file so.
PRESETS = "usr/lib/systemd/system-preset/40-immutable-base*.preset"
UNITS = Path("usr/lib/systemd/system")

Preset = Literal["enable", "disable"]


def units_of(program: Program, root: Path) -> tuple[UnitFact, ...]:
    """Return the fact of every unit, sorted; `root` is the image's root folder."""
    presets: dict[str, Preset] = {}
    for file in sorted(root.glob(PRESETS)):
        presets.update(parse_presets(file.read_text()))
    present = sorted(name for name in presets if (root / UNITS / name).exists())
    states = dict.fromkeys(presets, "absent")
    if present:
        # A line for each, in the same order; systemctl(1). Its status is that of the worst unit.
        text = program.answer("systemctl", "--root=/", "is-enabled", *present).text
        lines = text.splitlines()
        unreadable = [f"unknown: {text}"] * len(present)
        states |= zip(present, lines if len(lines) == len(present) else unreadable, strict=True)
    return tuple(
        UnitFact(name=name, preset=presets[name], state=states[name]) for name in sorted(presets)
    )


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
