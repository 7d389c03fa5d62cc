"""Kernel modules that are not in the kernel's own tree."""

from __future__ import annotations

from pathlib import Path

from immutable_base.image.program import Program
from immutable_base.model.facts import ModuleFact

MODULES = Path("usr/lib/modules")
# Where the kernel's build and DKMS put modules from outside; `kernel/` is the kernel's own.
OUTSIDE = ("extra", "updates", "weak-updates")


def modules_of(program: Program, root: Path, kernel: str) -> tuple[ModuleFact, ...]:
    """Return the facts of every module from outside the tree of one kernel, sorted by name."""
    tree = root / MODULES / kernel
    found = sorted(
        path for folder in OUTSIDE for path in (tree / folder).rglob("*.ko*") if path.is_file()
    )
    listed = _listed(tree / "modules.dep")
    return tuple(_fact(program, path, root, kernel, listed) for path in found)


def _fact(
    program: Program, path: Path, root: Path, kernel: str, listed: frozenset[str]
) -> ModuleFact:
    inside = path.relative_to(root)
    name = path.name.partition(".ko")[0]
    fields = _fields(program.answer("modinfo", f"/{inside}").text)
    owner = program.answer("rpm", "--query", "--file", "--queryformat", "%{NAME}", f"/{inside}")
    return ModuleFact(
        name=name,
        path=str(inside),
        owner=owner.text if owner.status == 0 else "",
        version=fields.get("version", ""),
        vermagic=fields.get("vermagic", ""),
        load=program.answer("modprobe", "--set-version", kernel, "--show-depends", name),
        listed=str(path.relative_to(root / MODULES / kernel)) in listed,
    )


def _fields(text: str) -> dict[str, str]:
    """Read modinfo's `name:   value` lines; the first of a name counts."""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        key, colon, value = line.partition(":")
        if colon:
            fields.setdefault(key.strip(), value.strip())
    return fields


def _listed(path: Path) -> frozenset[str]:
    """Return the modules that modules.dep knows, as paths below the kernel's folder."""
    if not path.is_file():
        return frozenset()
    return frozenset(line.partition(":")[0] for line in path.read_text().splitlines())
