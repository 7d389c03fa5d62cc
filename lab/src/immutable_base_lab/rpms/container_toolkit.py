"""NVIDIA's container toolkit, as its base package: programs built from the Go module."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from immutable_base.errors import HostError
from immutable_base.process import Command, run
from immutable_base.workspace import file_digest
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import SigningKey, signing_key
from immutable_base_lab.rpms import convert, jobs, package, signed_repository
from immutable_base_lab.rpms.package import Recipe

REPOSITORY = "container-toolkit"
NAME = "nvidia-container-toolkit-base"
PROGRAMS = ("nvidia-ctk", "nvidia-cdi-hook")
VERSION = re.compile(r"\b(\d+\.\d+\.\d+)\b")
# The programs carry no date: one fixed second keeps the package the same.
MTIME = 1_700_000_000
CHECKSUM = "sha512"
"""Upstream's. Source: NVIDIA/nvidia-container-toolkit, scripts/packages-sign-all.sh."""


def make_repository(paths: LabPaths) -> None:
    """Make the toolkit's repository below `rpms/`, unless it is there.

    Needs the built programs. Raises HostError if they are not built, CommandError.
    """
    programs = [paths.programs.program(name) for name in PROGRAMS]
    units = paths.programs.share / "nvidia-container-toolkit/deployments/systemd"
    if not units.is_dir() or not all(program.exists() for program in programs):
        raise HostError(
            "NVIDIA's container toolkit is not built", hint="run `immutable-base lab up`"
        )
    digests = [file_digest(path) for path in (*programs, *_units(units))]
    with signing_key(paths.rpm_key) as key:
        made = cache.key_of(jobs.FORMAT, key.fingerprint, digests)
        folder = paths.converted / f"{NAME}-{made[:16]}"
        cache.ensure(folder, made, lambda half: _make(half, programs, units, key))
        signed_repository.make_repository(
            paths.rpms / REPOSITORY, folder.glob("*.rpm"), key, checksum=CHECKSUM
        )


def _units(folder: Path) -> list[Path]:
    return sorted(path for path in folder.iterdir() if path.is_file())


def _make(folder: Path, programs: list[Path], units: Path, key: SigningKey) -> None:
    tree = folder / "tree"
    for program in programs:
        _copy(program, tree / "usr/bin" / program.name, 0o755)
    for unit in _units(units):
        place = (
            "usr/lib/systemd/system"
            if unit.suffix in {".service", ".path"}
            else "etc/nvidia-container-toolkit"
        )
        _copy(unit, tree / place / unit.name, 0o644)
    package.build(_recipe(tree, _version(programs[0])), tree, folder, key)


def _version(program: Path) -> str:
    printed = run(Command(argv=(str(program), "--version"), timeout=60)).text
    match = VERSION.search(printed)
    if match is None:
        raise HostError(f"{program.name} does not say its version", details=printed)
    return match[1]


def _recipe(tree: Path, version: str) -> Recipe:
    return Recipe(
        name=NAME,
        version=version,
        release="1",
        arch="x86_64",
        summary="NVIDIA Container Toolkit Base",
        license="Apache-2.0",
        url="https://github.com/NVIDIA/nvidia-container-toolkit",
        description="nvidia-ctk, the CDI hook and the units that refresh the CDI specification.",
        requires=("glibc",),
        scripts=tuple(convert.scripts(tree).items()),
        config=frozenset(
            f"/{path.relative_to(tree)}" for path in tree.glob("etc/nvidia-container-toolkit/*")
        ),
        mtime=MTIME,
    )


def _copy(origin: Path, target: Path, mode: int) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(origin, target)
    target.chmod(mode)
