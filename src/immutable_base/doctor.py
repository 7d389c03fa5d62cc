"""What a night needs of this host, asked in its first second and not after half an hour."""

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
    ("createrepo_c", "createrepo-c", "makes tonight's local repository"),
    ("gpg", "gnupg", "reads pinned keys"),
    ("gpgv", "gpgv", "verifies repository metadata"),
    ("rpm2cpio", "rpm2cpio", "reads META out of module packages"),
    ("rpmkeys", "rpm", "checks signatures of packages"),
    ("skopeo", "skopeo", "reads and copies images"),
    ("syft", None, "lists packages for the SBOM"),
    ("unshare", "util-linux", "keeps a night's processes and mounts together"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a night needs, and whether it is here."""

    name: str
    why: str
    ok: bool
    mend: str
    """The command or action that mends it."""


def examine(context: Context) -> tuple[Finding, ...]:
    """Return everything that a night needs of this host."""
    return (_root(), *(_program(*row) for row in PROGRAMS), _namespaces(context), _space(context))


def require_ready(context: Context) -> None:
    """Raise HostError that names everything missing and how to mend it."""
    missing = [finding for finding in examine(context) if not finding.ok]
    if missing:
        raise HostError(
            "this host cannot run a night yet",
            details="\n".join(f"{finding.name}: {finding.why}" for finding in missing),
            hint="; ".join(dict.fromkeys(finding.mend for finding in missing)),
        )


def _root() -> Finding:
    return Finding(
        name="root",
        why="mounts, chroots and namespaces need it",
        ok=os.geteuid() == 0,
        mend="run it as root: `sudo -E immutable-base ...`",
    )


def _program(name: str, package: str | None, why: str) -> Finding:
    mend = (
        f"`apt-get install {package}`"
        if package
        else f"`immutable-base lab tools {name}` builds it; put the folder it prints on PATH"
    )
    return Finding(name=name, why=f"it {why}", ok=shutil.which(name) is not None, mend=mend)


def _namespaces(context: Context) -> Finding:
    """Ask for what `process.run_contained` needs; root in an unprivileged container has it not."""
    argv = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--", "true")
    why, ok = "a night lives in namespaces of its own", True
    if os.geteuid() == 0 and shutil.which("unshare"):
        try:
            context.run(Command(argv=argv, timeout=30))
        except ImmutableBaseError as error:
            why, ok = f"{why}, which are refused: {error.details or error.message}", False
    mend = "run it in a virtual machine or a privileged container"
    return Finding(name="namespaces", why=why, ok=ok, mend=mend)


def _space(context: Context) -> Finding:
    try:
        require_space(context.workspace, context.settings.minimum_free_gib)
    except ImmutableBaseError as error:
        return Finding(name="space", why=error.message, ok=False, mend=error.hint or "")
    except OSError as error:
        return Finding(
            name="space",
            why=f"{context.workspace}: {error.strerror}",
            ok=False,
            mend="choose another --workspace",
        )
    return Finding(name="space", why=f"in {context.workspace}", ok=True, mend="")
