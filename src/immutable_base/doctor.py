"""What a run needs of this host, checked in its first second and not after half an hour."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import CommandError, HostError, ImmutableBaseError
from immutable_base.process import NAMESPACES, Command, Runner, environment
from immutable_base.state import tools_folder
from immutable_base.tools.pins import load_pins
from immutable_base.tools.versions import ASK_VERSION
from immutable_base.workspace import require_space

PROGRAMS: tuple[tuple[str, str, str], ...] = (
    ("bwrap", "bubblewrap", "asks an image what it holds"),
    ("buildah", "buildah", "builds images"),
    ("cpio", "cpio", "reads META out of module packages"),
    ("createrepo_c", "createrepo-c", "makes the local repository"),
    ("gpg", "gnupg", "reads pinned keys"),
    ("gpgv", "gpgv", "verifies repository metadata"),
    ("rpm2cpio", "rpm2cpio", "reads META out of module packages"),
    ("rpmkeys", "rpm", "checks signatures of packages"),
    ("setpriv", "util-linux", "ends programs together with the run"),
    ("skopeo", "skopeo", "reads and copies images"),
    ("unshare", "util-linux", "keeps the processes and mounts of a run together"),
)
"""Program, the Debian package that has it, what it is for."""
BOOT_PROGRAMS: tuple[tuple[str, str, str], ...] = (
    ("debugfs", "e2fsprogs", "reads files out of a disk image"),
    ("mke2fs", "e2fsprogs", "makes the disk of a machine"),
    ("qemu-system-x86_64", "qemu-system-x86", "starts an image as a machine"),
    ("ssh", "openssh-client", "logs in to a started machine"),
)
"""The same, only where images are booted."""
PINNED: tuple[tuple[str, str], ...] = (
    ("cosign", "signs and attests"),
    ("syft", "lists packages for the SBOM"),
)
"""Program that no distribution packages, what it is for."""
NOT_TO_ASK = frozenset({
    "createrepo_c", *(name for name, *_ in BOOT_PROGRAMS), *(name for name, _ in PINNED),
})  # fmt: skip
"""What builds, boots and signs: `doctor --online` asks without it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that a run needs, and whether this host has it."""

    name: str
    reason: str
    ok: bool
    fix: str
    """The command or action that fixes it; empty if nothing is wrong."""


def examine(
    run: Runner, workspace: Path, gib: int, *, boots: bool = True
) -> tuple[Requirement, ...]:
    """Return everything that a run needs of this host.

    `gib` is the space to be free; `boots`: whether images have to be booted.
    """
    return (
        _root(),
        *(_program(*row) for row in (*PROGRAMS, *(BOOT_PROGRAMS if boots else ()))),
        *(_pinned(run, *row) for row in PINNED),
        _namespaces(run),
        _space(workspace, gib),
        _overlay(run, workspace),
    )


def missing_to_ask(requirements: Iterable[Requirement]) -> tuple[str, ...]:
    """Return the names of what is missing and without which nothing remote can be asked."""
    return tuple(it.name for it in requirements if not it.ok and it.name not in NOT_TO_ASK)


def require_ready(run: Runner, workspace: Path, gib: int, *, boots: bool = True) -> None:
    """Raise HostError that names everything missing and how to fix it; see `examine`."""
    examined = examine(run, workspace, gib, boots=boots)
    missing = [requirement for requirement in examined if not requirement.ok]
    if missing:
        raise HostError(
            "this host is not ready for a run",
            details="\n".join(
                f"{requirement.name}: {requirement.reason}" for requirement in missing
            ),
            hint="; ".join(dict.fromkeys(requirement.fix for requirement in missing)),
        )


def _requirement(name: str, reason: str, fix: str, *, ok: bool) -> Requirement:
    return Requirement(name=name, reason=reason, ok=ok, fix="" if ok else fix)


def _root() -> Requirement:
    return _requirement(
        "root",
        "mounts, chroots and namespaces need it",
        "run it as root: `sudo -E immutable-base ...`",
        ok=os.geteuid() == 0,
    )


def _find(name: str) -> str | None:
    return shutil.which(name, path=environment({})["PATH"])


def _program(name: str, package: str, purpose: str) -> Requirement:
    return _requirement(
        name, f"it {purpose}", f"`apt-get install {package}`", ok=_find(name) is not None
    )


def _pinned(run: Runner, name: str, purpose: str) -> Requirement:
    """Look for a program whose version matters: a wrong one fails late, or verifies too little."""
    pin, path = load_pins()[name], _find(name)
    fix = f"`immutable-base tools {name}` builds {pin.number}"
    if path is None:
        return _requirement(name, f"it {purpose}", fix, ok=False)
    if not Path(path).is_relative_to(tools_folder()):
        fix += f"; remove {path}, which comes before it on PATH"
    try:
        version = ASK_VERSION[name](run, path)
    except CommandError as error:
        return _requirement(name, error.message, fix, ok=False)
    ok = pin.accepts(version)
    reason = f"it {purpose}" if ok else f"not {pin.accepted_text}: {pin.reason}"
    return _requirement(name, f"{version}; {reason}", fix, ok=ok)


def _namespaces(run: Runner) -> Requirement:
    """Try what `process.run_contained` needs; root in an unprivileged container lacks it."""
    reason, ok = "a run has namespaces of its own", True
    if os.geteuid() == 0 and _find("unshare"):
        try:
            run(Command(argv=(*NAMESPACES, "true"), timeout=30))
        except ImmutableBaseError as error:
            reason, ok = f"{reason}, which are refused: {error.details or error.message}", False
    fix = "run it in a virtual machine or a privileged container"
    return _requirement("namespaces", reason, fix, ok=ok)


def _space(folder: Path, gib: int) -> Requirement:
    try:
        require_space(folder, gib)
    except ImmutableBaseError as error:
        return _requirement("space", error.message, error.hint or "", ok=False)
    except OSError as error:
        reason = f"{folder}: {error.strerror}"
        return _requirement("space", reason, "choose another --workspace", ok=False)
    return _requirement("space", f"in {folder}", "", ok=True)


def _overlay(run: Runner, folder: Path) -> Requirement:
    """Try a mount as buildah's: a container's own file system, an overlay too, takes none above it.

    Source: https://docs.kernel.org/filesystems/overlayfs.html, "Upper and lower".
    """
    reason, ok = f"images are overlays in {folder}", True
    if os.geteuid() == 0 and _find("unshare"):
        try:
            folder.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryDirectory(dir=folder, prefix=".overlay-") as place:
                _mount_overlay(run, Path(place))
        except ImmutableBaseError as error:
            reason, ok = f"{reason}, which are refused: {error.details or error.message}", False
        except OSError as error:
            reason, ok = f"{folder}: {error.strerror}", False
    fix = "choose a --workspace on a disk or a volume; in a GitLab job: below $CI_PROJECT_DIR"
    return _requirement("overlay", reason, fix, ok=ok)


def _mount_overlay(run: Runner, place: Path) -> None:
    """Mount an overlay in a mount namespace of its own, which takes it away again."""
    lower, upper, work, merged = (place / name for name in ("lower", "upper", "work", "merged"))
    for folder in (lower, upper, work, merged):
        folder.mkdir()
    options = f"lowerdir={lower},upperdir={upper},workdir={work}"
    argv = ("unshare", "--mount", "mount", "-t", "overlay", "overlay", "-o", options, str(merged))
    run(Command(argv=argv, timeout=30))
