"""What a run needs of this host, checked in its first second and not after half an hour."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass

from immutable_base.context import Context
from immutable_base.errors import HostError, ImmutableBaseError
from immutable_base.process import Command
from immutable_base.workspace import require_space

# Program, the Debian package that has it (None: built by `immutable-base lab up`), what for.
PROGRAMS: tuple[tuple[str, str | None, str], ...] = (
    ("bwrap", "bubblewrap", "asks an image what it holds"),
    ("buildah", "buildah", "builds images"),
    ("cosign", None, "signs and verifies"),
    ("cpio", "cpio", "reads META out of module packages"),
    ("createrepo_c", "createrepo-c", "makes the local repository"),
    ("gpg", "gnupg", "reads pinned keys"),
    ("gpgv", "gpgv", "verifies repository metadata"),
    ("rpm2cpio", "rpm2cpio", "reads META out of module packages"),
    ("rpmkeys", "rpm", "checks signatures of packages"),
    ("skopeo", "skopeo", "reads and copies images"),
    ("syft", None, "lists packages for the SBOM"),
    ("unshare", "util-linux", "keeps the processes and mounts of a run together"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """One thing that a run needs, and whether this host has it."""

    name: str
    reason: str
    ok: bool
    fix: str
    """The command or action that provides it."""


def examine(context: Context) -> tuple[Requirement, ...]:
    """Return everything that a run needs of this host."""
    return (_root(), *(_program(*row) for row in PROGRAMS), _namespaces(context), _space(context))


def require_ready(context: Context) -> None:
    """Raise HostError that names everything missing and how to fix it."""
    missing = [requirement for requirement in examine(context) if not requirement.ok]
    if missing:
        raise HostError(
            "this host is not ready for a run",
            details="\n".join(
                f"{requirement.name}: {requirement.reason}" for requirement in missing
            ),
            hint="; ".join(dict.fromkeys(requirement.fix for requirement in missing)),
        )


def _root() -> Requirement:
    return Requirement(
        name="root",
        reason="mounts, chroots and namespaces need it",
        ok=os.geteuid() == 0,
        fix="run it as root: `sudo -E immutable-base ...`",
    )


def _program(name: str, package: str | None, reason: str) -> Requirement:
    fix = (
        f"`apt-get install {package}`"
        if package
        else f"`immutable-base lab tools {name}` builds it; put the folder it prints on PATH"
    )
    return Requirement(name=name, reason=f"it {reason}", ok=shutil.which(name) is not None, fix=fix)


def _namespaces(context: Context) -> Requirement:
    """Try what `process.run_contained` needs; root in an unprivileged container lacks it."""
    argv = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--", "true")
    reason, ok = "a run has namespaces of its own", True
    if os.geteuid() == 0 and shutil.which("unshare"):
        try:
            context.run(Command(argv=argv, timeout=30))
        except ImmutableBaseError as error:
            reason, ok = f"{reason}, which are refused: {error.details or error.message}", False
    fix = "run it in a virtual machine or a privileged container"
    return Requirement(name="namespaces", reason=reason, ok=ok, fix=fix)


def _space(context: Context) -> Requirement:
    try:
        require_space(context.workspace, context.settings.minimum_free_gib)
    except ImmutableBaseError as error:
        return Requirement(name="space", reason=error.message, ok=False, fix=error.hint or "")
    except OSError as error:
        return Requirement(
            name="space",
            reason=f"{context.workspace}: {error.strerror}",
            ok=False,
            fix="choose another --workspace",
        )
    return Requirement(name="space", reason=f"in {context.workspace}", ok=True, fix="")
