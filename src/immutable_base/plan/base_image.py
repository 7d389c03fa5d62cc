"""The base image: which digest, which packages, which kernel; asked once per run.

The kernel is read from the image's own rpmdb and compared with the files that are there; labels
are a hint that real bases no longer carry, and `uname -r` is the build machine's.
"""

from __future__ import annotations

import logging
import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from pydantic import ValidationError

from immutable_base.errors import PlanError
from immutable_base.image import rpmdb
from immutable_base.image.layout import MODULES
from immutable_base.image.program import mounted_image
from immutable_base.model.document import Frozen
from immutable_base.model.plan import BasePlan
from immutable_base.tools import buildah, skopeo
from immutable_base.tools.buildah import Storage
from immutable_base.workspace import write_atomically

COMPOSE_LABEL = "redhat.compose-id"
COMPOSE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
"""What may become part of an URL: `CentOS-Stream-10-20250427.0` and its like."""
OS_RELEASE = Path("usr/lib/os-release")
"""Source of its name and form: os-release(5)."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageKernel:
    """The one kernel of a base image."""

    release: str
    """What `uname -r` prints."""
    package: str
    evr: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """A base image, resolved and read."""

    plan: BasePlan
    packages: tuple[rpmdb.Installed, ...]
    kernel: ImageKernel


class Contents(Frozen):
    """What was read out of an image; in the cache by the image's digest."""

    version: Literal[3] = 3
    rpm_output: str
    os_release: str
    """/usr/lib/os-release; empty where it is no file."""
    kernels: tuple[str, ...]
    """Folders of /usr/lib/modules that hold a vmlinuz."""


def read_base(storage: Storage, env: Mapping[str, str], cache: Path, reference: str) -> Base:
    """Resolve a base image and read what is installed in it.

    `env` tells programs which CAs to trust, `cache` keeps what was read, by digest. Raises
    RemoteError if the registry does not give it, PlanError if it has not exactly
    one kernel.
    """
    resolved = skopeo.resolve(storage.run, reference, env)
    plan = BasePlan(
        reference=reference,
        digest=resolved.digest,
        created=resolved.created,
        compose=compose_id(resolved.labels),
    )
    cached = cache / f"{plan.digest.removeprefix('sha256:')}.json"
    known = _load_cached(cached)
    contents = known or _read(storage, buildah.pull(storage, plan.pinned, env))
    packages = rpmdb.parse(contents.rpm_output).packages
    kernel = only_kernel(reference, packages, contents.kernels)
    # Only now: what makes no sense is read again next time.
    if known is None:
        write_atomically(cached, contents.model_dump_json())
    log.info("%s is %s with kernel %s", reference, resolved.digest, kernel.release)
    support_end = read_os_release(contents.os_release).get("SUPPORT_END", "")
    plan = plan.model_copy(update={"support_end": support_end})
    return Base(plan=plan, packages=packages, kernel=kernel)


def compose_id(labels: Mapping[str, str]) -> str:
    """Return the compose that an image's labels name, nothing if it could not be one."""
    found = labels.get(COMPOSE_LABEL, "")
    return found if COMPOSE_ID.fullmatch(found) else ""


def read_os_release(text: str) -> dict[str, str]:
    """Return the assignments of an os-release file; lines that are none are left out."""
    found = {}
    for line in text.splitlines():
        name, sign, value = line.strip().partition("=")
        if not sign:
            continue
        try:
            words = shlex.split(value)
        except ValueError:
            continue
        found[name] = words[0] if words else ""
    return found


def only_kernel(
    reference: str, packages: tuple[rpmdb.Installed, ...], kernels: tuple[str, ...]
) -> ImageKernel:
    """Return the one kernel on which the rpmdb and /usr/lib/modules agree.

    bootc refuses an image with two (its lint `kernel`), and cannot boot one without.
    Raises PlanError naming what was found instead.
    """
    # Several packages may provide one kernel (kernel-core and kernel-uki-virt do).
    owned: dict[str, ImageKernel] = {}
    for package in packages:
        for relation in package.provides:
            if relation.name == rpmdb.UNAME_R:
                kernel = ImageKernel(release=relation.evr, package=package.name, evr=package.evr)
                owned.setdefault(relation.evr, kernel)
    releases = tuple(sorted(owned))
    if len(releases) == 1 and kernels == releases:
        return owned[releases[0]]
    raise PlanError(
        f"the base image {reference} must have exactly one kernel; "
        f"its rpmdb has {_count(releases)}, /usr/lib/modules has {_count(kernels)}",
        hint="a kernel counts where a package provides `kernel-uname-r`, and where a vmlinuz lies",
    )


def _count(releases: tuple[str, ...]) -> str:
    return f"{len(releases)} ({', '.join(releases)})" if releases else "none"


def _load_cached(path: Path) -> Contents | None:
    """Return what was read of exactly this digest before."""
    if not path.is_file():
        return None
    try:
        return Contents.model_validate_json(path.read_bytes())
    except ValidationError as error:
        log.info("%s is not used: %s", path, error)
        return None


def _read(storage: Storage, image: str) -> Contents:
    with mounted_image(storage, image) as mounted:
        return Contents(
            rpm_output=rpmdb.query_text(mounted),
            os_release=_os_release(mounted.root),
            kernels=_kernels(mounted.root),
        )


def _os_release(root: Path) -> str:
    # A link could lead out of the image.
    on_the_way = [root / part for part in (OS_RELEASE, *OS_RELEASE.parents[:-1])]
    if not (root / OS_RELEASE).is_file() or any(part.is_symlink() for part in on_the_way):
        return ""
    return (root / OS_RELEASE).read_text("utf-8", errors="replace")


def _kernels(root: Path) -> tuple[str, ...]:
    files = (root / MODULES).glob("*/vmlinuz")
    return tuple(sorted(file.parent.name for file in files))
