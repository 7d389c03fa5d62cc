"""What is decided about a host, without touching it: names, images, states, deployments. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Collection, Sequence
from dataclasses import dataclass

from immutable_base.config.toml import did_you_mean
from immutable_base.errors import CommandError, ConfigurationError, HostError
from immutable_base.model.reference import Reference
from immutable_base.tools.ostree import CONTAINER, STATEROOT

NAME = re.compile(r"[a-z][a-z0-9-]{0,30}")
"""A host's name: it is a folder, the machine's own name and part of a socket's path."""
SOCKET_PATH = 107
"""Bytes. Source: unix(7), `sun_path`."""
_DEPLOYMENT = re.compile(
    r"^(?P<mark>[* ]) \S+ (?P<commit>[0-9a-f]{64})\.[0-9]+(?: \((?P<note>[a-z ]+)\))?$",
    re.MULTILINE,
)
"""A line of `ostree admin status`. Source: src/ostree/ot-admin-builtin-status.c."""


def require_name(name: str) -> str:
    """Return a name that a host may have. Raises ConfigurationError."""
    if not NAME.fullmatch(name):
        raise ConfigurationError(
            f"'{name}' cannot be the name of a host",
            hint="small letters, digits and hyphens, a letter first, 31 at most",
        )
    return name


def require_new(name: str, known: Collection[str]) -> None:
    """Raise ConfigurationError if there is a host of this name."""
    if name in known:
        raise ConfigurationError(
            f"there is a host `{name}` already",
            hint=f"choose another name, or first: `immutable-base lab host remove {name}`",
        )


def require_known(name: str, known: Collection[str]) -> None:
    """Raise ConfigurationError unless there is a host of this name."""
    if name not in known:
        listed = ", ".join(sorted(known)) or "none yet; `immutable-base lab host create` makes one"
        raise ConfigurationError(
            f"there is no host `{name}` in the lab{did_you_mean(name, known)}",
            hint=f"the hosts are: {listed}",
        )


def require_stopped(name: str, pid: int | None) -> None:
    """Raise HostError if a host runs; `pid`: of its machine."""
    if pid is not None:
        raise HostError(
            f"the host `{name}` is running already (process {pid})",
            hint=f"`immutable-base lab host stop {name}` switches it off",
        )


def require_running(name: str, pid: int | None) -> None:
    """Raise HostError unless a host runs."""
    if pid is None:
        raise HostError(
            f"the host `{name}` is not running",
            hint=f"`immutable-base lab host start {name}` starts it",
        )


def require_short(path: str) -> None:
    """Raise HostError if no socket can be made at this path."""
    if len(path.encode()) > SOCKET_PATH:
        raise HostError(
            f"the path {path} is too long for a socket ({SOCKET_PATH} bytes)",
            hint="give the host a shorter name, or the lab a shorter folder with --state",
        )


def reference_of(image: str, destination: str) -> str:
    """Return the reference of an image that a person named: a variant, or any reference.

    `destination`: where the lab's variants are published. Raises ConfigurationError for what can be
    neither.
    """
    if "/" in image:
        return image
    named = Reference.parse(f"{destination}/{image}")
    if named.digest:
        return named.pinned(named.digest)
    return f"{named.repository}:{named.tag or 'latest'}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deployment:
    """One image on a host, as `ostree admin status` lists it."""

    commit: str
    booted: bool
    note: str = ""
    """`staged`, `pending` or `rollback`; empty for others."""


def deployments(text: str) -> tuple[Deployment, ...]:
    """Read `ostree admin status`: what is started next comes first.

    Raises CommandError if none is the one that runs.
    """
    found = tuple(
        Deployment(commit=line["commit"], booted=line["mark"] == "*", note=line["note"] or "")
        for line in _DEPLOYMENT.finditer(text)
    )
    if not any(it.booted for it in found):
        raise CommandError("`ostree admin status` names no deployment that runs", details=text)
    return found


def earlier(name: str, found: Sequence[Deployment]) -> int:
    """Return the number of the deployment to go back to: the one below that which runs.

    Raises HostError if there is none.
    """
    (running,) = (number for number, it in enumerate(found) if it.booted)
    if running + 1 == len(found):
        raise HostError(
            f"the host `{name}` has no earlier image to go back to",
            hint=f"`immutable-base lab host upgrade {name}` makes one",
        )
    return running + 1


def upgrade_command(reference: str) -> str:
    """Return what a host runs to fetch and deploy an image, under its own policy.json.

    /sysroot is read-only on a host; as bootc does, it is made writable for this program alone.
    """
    deploy = shlex.join(
        (
            f"/{CONTAINER}", "container", "image", "deploy", "--sysroot=/",
            f"--stateroot={STATEROOT}", f"--imgref=ostree-unverified-registry:{reference}",
        )
    )  # fmt: skip
    return shlex.join(
        ("unshare", "--mount", "sh", "-c", f"mount -o remount,rw /sysroot && exec {deploy}")
    )


def rollback_command(number: int) -> str:
    """Return what a host runs to start another of its deployments from now on."""
    return f"ostree admin set-default {number}"


STATUS = "ostree admin status"
