"""Kernel modules that are not in the kernel's own tree."""

from __future__ import annotations

from pathlib import Path

from immutable_base.image.layout import MODULES
from immutable_base.image.program import MountedImage
from immutable_base.image.rpmdb import RpmDatabase
from immutable_base.model.facts import ModuleFact
from immutable_base.model.module_signer import SECURE_BOOT
from immutable_base.workspace import file_digest

# Where the kernel's build and DKMS put modules from outside; `kernel/` is the kernel's own.
OUTSIDE = ("extra", "updates", "weak-updates")


def read_modules(
    mounted: MountedImage, kernel: str, database: RpmDatabase
) -> tuple[ModuleFact, ...]:
    """Return the facts of every module from outside the tree of one kernel, sorted by name.

    Raises CheckError if modinfo cannot read one.
    """
    tree = mounted.root / MODULES / kernel
    found = sorted(
        path for folder in OUTSIDE for path in (tree / folder).rglob("*.ko*") if path.is_file()
    )
    listed = _listed(tree / "modules.dep")
    owners = _owners(database)
    return tuple(_fact(mounted, path, kernel, listed, owners) for path in found)


def read_certificates(root: Path) -> dict[str, str]:
    """Return the SHA-256 of each certificate for hosts to enrol, by its file name."""
    folder = root / SECURE_BOOT
    return {path.name: file_digest(path) for path in sorted(folder.glob("*")) if path.is_file()}


def _fact(
    mounted: MountedImage,
    path: Path,
    kernel: str,
    listed: frozenset[str],
    owners: dict[str, str],
) -> ModuleFact:
    inside = path.relative_to(mounted.root)
    name = path.name.partition(".ko")[0]
    fields = _fields(mounted.read("modinfo", f"/{inside}"))
    return ModuleFact(
        name=name,
        path=str(inside),
        owner=owners.get(f"/{inside}", ""),
        version=fields.get("version", ""),
        vermagic=fields.get("vermagic", ""),
        signer=fields.get("signer", ""),
        key_id=fields.get("sig_key", ""),
        hash_algorithm=fields.get("sig_hashalgo", ""),
        load=mounted.ask("modprobe", "--set-version", kernel, "--show-depends", name),
        listed=str(path.relative_to(mounted.root / MODULES / kernel)) in listed,
    )


def _owners(database: RpmDatabase) -> dict[str, str]:
    """Return the package of each file below /usr/lib/modules, however the package spells /lib."""
    owners = {}
    for package in database.packages:
        for path in package.files:
            # /lib is a link to /usr/lib, and packages of kernels may name either.
            whole = f"/usr{path}" if path.startswith("/lib/") else path
            if whole.startswith(f"/{MODULES}/"):
                owners[whole] = package.name
    return owners


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
