"""RPMs that EL splits differently from Debian: several packages in, one out."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from immutable_base.model.evr import Evr
from immutable_base_lab.core.files import copy_data
from immutable_base_lab.debian.archive import Deb
from immutable_base_lab.rpms import convert, package
from immutable_base_lab.rpms.jobs import Job, Workshop
from immutable_base_lab.rpms.package import Recipe

FILES = Path(__file__).parent / "files"


def nothing(tree: Path) -> None:
    """Leave a tree as it is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Merged:
    """One RPM made of some Debian packages."""

    name: str
    repository: str
    debs: tuple[Deb, ...]
    evr: Evr
    license: str
    arch: str = "x86_64"
    requires: tuple[str, ...] = ()
    """On top of what the Debian packages need from outside their own family."""
    only_own_requires: bool = False
    """Leave out what the Debian packages need."""
    provides: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    arrange: Callable[[Path], None] = nothing
    """Brings the unpacked tree into EL's layout."""
    scripts: tuple[tuple[str, str], ...] | None = None
    """None: those that EL's macros would write."""


def outside(workshop: Workshop, debs: Iterable[Deb], family: frozenset[str]) -> tuple[str, ...]:
    """Translate what packages need that does not belong to their own family of packages."""
    found: set[str] = set()
    for deb in debs:
        for group in deb.relations("pre-depends", "depends"):
            relation = workshop.packages.chosen(group)
            inside = any(alternative.name in family for alternative in group)
            if relation is not None and not inside and not workshop.packages.ignored(group):
                found.add(workshop.catalogue.rpm_name(relation.name))
    return tuple(found)


def job(workshop: Workshop, merged: Merged, family: frozenset[str]) -> Job:
    """Describe the making of a merged RPM."""
    requires = merged.requires
    if not merged.only_own_requires:
        requires = (*requires, *outside(workshop, merged.debs, family))

    def make_folder(folder: Path) -> None:
        files = list(workshop.download(merged.debs).values())
        tree = folder / "tree"
        convert.unpack(files, tree)
        mtime = package.newest_mtime(tree)
        merged.arrange(tree)
        added = FILES / merged.name / "usr"
        if added.is_dir():
            copy_data(added, tree / "usr")
        config = convert.config_files(files)
        recipe = replace(_recipe(merged, requires, tree, config), mtime=mtime)
        package.build(recipe, tree, folder, workshop.key)

    def make() -> list[Path]:
        inputs = (
            [deb.fields["sha256"] for deb in merged.debs], merged.scripts, sorted(requires),
            merged.provides, merged.conflicts, str(merged.evr), _added(merged.name),
        )  # fmt: skip
        return workshop.cached(merged.name, inputs, make_folder)

    return Job(name=merged.name, place=lambda _rpm: (merged.repository,), make=make)


def _added(name: str) -> list[tuple[str, str]]:
    folder = FILES / name
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    return [(str(path.relative_to(folder)), path.read_text()) for path in paths]


def _recipe(
    merged: Merged, requires: tuple[str, ...], tree: Path, config: frozenset[str]
) -> Recipe:
    scripts = merged.scripts
    if scripts is None:
        scripts = tuple(convert.scripts(tree).items())
    return Recipe(
        name=merged.name,
        epoch=merged.evr.epoch,
        version=merged.evr.version,
        release=merged.evr.release,
        arch=merged.arch,
        summary=merged.debs[0].fields["description"].splitlines()[0],
        url=merged.debs[0].fields.get("homepage", "https://www.debian.org/"),
        license=merged.license,
        requires=tuple(sorted(requires)),
        provides=merged.provides,
        conflicts=merged.conflicts,
        scripts=scripts,
        config=frozenset(path for path in config if (tree / path[1:]).is_file()),
        mtime=0,
    )


def dkms_scripts(name: str, version: str) -> tuple[tuple[str, str], ...]:
    """Return scriptlets as the DKMS packages of OpenZFS and NVIDIA have them.

    They build for `uname -r`, which in a container is the kernel of the build machine, and they
    succeed whatever happens: the trap that the product has to step around.
    """
    return (
        (
            "post",
            "\n".join(
                (
                    f"dkms add -m {name} -v {version} --rpm_safe_upgrade || :",
                    f"dkms install --force -m {name} -v {version} || :",
                )
            ),
        ),
        ("preun", f"dkms remove -m {name} -v {version} --all --rpm_safe_upgrade || :"),
    )
