"""A library that the tiny base has newer than any repository, as real bases often have glibc.

Its devel package requires exactly the library's version. So whoever needs that one would have to
downgrade what is installed.
"""

from __future__ import annotations

from pathlib import Path

from immutable_base_lab.core.signing_key import SigningKey
from immutable_base_lab.rpms import package
from immutable_base_lab.rpms.jobs import Job, Workshop
from immutable_base_lab.rpms.package import Recipe
from immutable_base_lab.scenarios.tiny_content import MODULE_REPOSITORY

LIBRARY, DEVEL = "pendulum", "pendulum-devel"
INSTALLED, OFFERED = "0.2", "0.1"
"""Versions: in the base image, and in the repository."""
# Nothing here has a date: one fixed second keeps the packages the same.
MTIME = 1_700_000_000


def inputs() -> list[str]:
    """Return everything that the packages are made of."""
    return [LIBRARY, DEVEL, INSTALLED, OFFERED]


def installed_rpm(folder: Path, key: SigningKey) -> Path:
    """Make the package that the base has. Raises CommandError."""
    return _build(folder, key, LIBRARY, INSTALLED)


def offered_rpms(folder: Path, key: SigningKey) -> list[Path]:
    """Make the packages that the repository has. Raises CommandError."""
    return [
        _build(folder, key, LIBRARY, OFFERED),
        _build(folder, key, DEVEL, OFFERED, requires=(f"{LIBRARY} = {OFFERED}-1",)),
    ]


def job(workshop: Workshop) -> Job:
    """Return the making of what the repository has."""

    def make_folder(folder: Path) -> None:
        offered_rpms(folder, workshop.key)

    def make() -> list[Path]:
        return workshop.cached(LIBRARY, inputs(), make_folder)

    return Job(name=f"{LIBRARY} {OFFERED}", place=lambda _rpm: (MODULE_REPOSITORY,), make=make)


def _build(
    folder: Path, key: SigningKey, name: str, version: str, requires: tuple[str, ...] = ()
) -> Path:
    tree = folder / f"{name}.tree"
    file = tree / "usr/share" / name / "version"
    file.parent.mkdir(parents=True)
    file.write_text(f"{version}\n")
    recipe = Recipe(
        name=name,
        version=version,
        release="1",
        arch="noarch",
        summary="Says how long the pendulum of the metronome is",
        license="Apache-2.0",
        requires=requires,
        mtime=MTIME,
    )
    return package.build(recipe, tree, folder, key)
