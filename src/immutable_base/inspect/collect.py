"""Read a built image: its files as they are, and what its own programs say."""

from __future__ import annotations

import filecmp
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from immutable_base.image import rpmdb
from immutable_base.image.layout import MODULES
from immutable_base.image.program import MountedImage, mounted_image
from immutable_base.inspect.accounts import declared_accounts, read_accounts
from immutable_base.inspect.host_policy import read_host_policy
from immutable_base.inspect.modules import read_certificates, read_modules
from immutable_base.inspect.units import read_card_services, read_units
from immutable_base.inspect.var import read_var
from immutable_base.model.facts import (
    BaseFacts,
    ImageFacts,
    InitramfsFact,
    InstalledPackage,
    ProgramOutput,
)
from immutable_base.model.plan import VariantPlan
from immutable_base.tools import buildah

MODE = 0o7777
"""Permissions of a file, without its kind."""
# What a compiler or DKMS leaves, and what must be empty in an image.
LEFTOVERS = (
    "usr/src/*", "usr/src/kernels/*", "var/lib/dkms", "var/cache/dnf", "var/cache/libdnf5",
    "var/log/*", "boot/*", "run/*", "tmp/*", "etc/dkms",
)  # fmt: skip


def inspect_image(
    storage: buildah.Storage,
    image_id: str,
    variant: VariantPlan,
    *,
    destination: str,
    rests_on: dict[str, str],
) -> ImageFacts:
    """Return the facts of a variant's local image.

    `variant` says only where to look: its base image and the names of its module packages.
    `destination` is the namespace that it will be published to. Raises as `read_facts`.
    """
    where = Where(
        name=variant.name,
        base=variant.base.pinned,
        repository=destination,
        kmods=frozenset(module.kmod.name for module in variant.modules),
    )
    return read_facts(storage, image_id, where, rests_on=rests_on)


@dataclass(frozen=True, slots=True, kw_only=True)
class Where:
    """Where to look in an image."""

    name: str
    """What the image is called in the document."""
    base: str
    """The image that it was built on: a pinned reference."""
    kmods: frozenset[str] = frozenset()
    """Module packages, beside those that own a module from outside the kernel's tree."""
    repository: str
    """The registry's namespace that images of this kind come from."""


def read_facts(
    storage: buildah.Storage, image_id: str, where: Where, *, rests_on: dict[str, str]
) -> ImageFacts:
    """Return the facts of a local image; `rests_on` becomes the document's.

    Raises CheckError if the image or its base does not answer what every image can.
    """
    labels, annotations = buildah.image_labels(storage, image_id)
    known = {
        "rests_on": rests_on, "image_id": image_id, "labels": labels, "annotations": annotations,
    }  # fmt: skip
    with (
        mounted_image(storage, image_id) as mounted,
        mounted_image(storage, where.base) as base,
    ):
        facts = {**known, **_collect(mounted, where)}
        return ImageFacts.model_validate({**facts, "base": _base_facts(base, mounted, facts)})


def _common(mounted: MountedImage) -> tuple[dict[str, Any], rpmdb.RpmDatabase]:
    """Return what is asked of an image and of its base alike, and the rpm database."""
    # In this order: programs make files in /var, and bootc's lint judges it.
    leftovers = _leftovers(mounted.root)
    lint = _bootc_lint(mounted)
    database = rpmdb.parse(rpmdb.query_text(mounted))
    facts = {
        "packages": _installed(database.packages),
        "kernel_packages": _kernel_releases(database.packages),
        "leftovers": leftovers,
        "kargs": _kargs(mounted.root),
        "bootc_lint": lint,
    }
    return facts, database


def _base_facts(base: MountedImage, image: MountedImage, facts: Mapping[str, Any]) -> BaseFacts:
    """Ask the base image what can excuse something in the image's own facts."""
    own, dnf = facts["initramfs"], facts["dnf_check"]
    common, _ = _common(base)
    return BaseFacts.model_validate(
        {
            **common,
            "initramfs": _base_initramfs(base, image, own) if own is not None else None,
            "dnf_check": _dnf_check(base) if dnf.status != 0 else None,
        }
    )


def _base_initramfs(
    base: MountedImage, image: MountedImage, own: InitramfsFact
) -> InitramfsFact | None:
    """Return the base image's initramfs of the same kernel; the same bytes are not listed twice."""
    kernels = _kernels(base.root)
    path = base.root / own.path
    if len(kernels) != 1 or Path(own.path).parent.name != kernels[0] or not path.is_file():
        return None
    if not filecmp.cmp(path, image.root / own.path, shallow=False):
        return _initramfs(base, kernels[0])
    return own.model_copy(update={"mode": path.stat().st_mode & MODE})


def _collect(mounted: MountedImage, where: Where) -> dict[str, Any]:
    root = mounted.root
    common, database = _common(mounted)
    kernels = _kernels(root)
    accounts = declared_accounts(root)
    only = kernels[0] if len(kernels) == 1 else None
    modules = read_modules(mounted, only, database) if only else ()
    kmods = {*where.kmods, *(module.owner for module in modules)} - {""}
    with ThreadPoolExecutor(1) as beside:
        # It unpacks the initramfs three times, and takes longer than all the others together.
        initramfs = beside.submit(_initramfs, mounted, only) if only else None
        return {
            **common,
            "variant": where.name,
            "kernels": kernels,
            "module_trees": tuple(sorted(path.name for path in (root / MODULES).glob("*"))),
            "public_keys": database.public_keys,
            "kmod_requires": _requires(database.packages, kmods),
            "modules": modules,
            "certificates": read_certificates(root),
            "firmware": _firmware(root),
            "units": read_units(mounted),
            "card_services": read_card_services(mounted),
            "var": read_var(mounted, accounts),
            "accounts": read_accounts(root, accounts),
            "dnf_check": _dnf_check(mounted),
            "host_policy": read_host_policy(mounted, where.repository),
            "verify": {name: mounted.ask("rpm", "--verify", name) for name in sorted(kmods)},
            "initramfs": initramfs.result() if initramfs else None,
        }


def _kernels(root: Path) -> tuple[str, ...]:
    return tuple(sorted(path.parent.name for path in (root / MODULES).glob("*/vmlinuz")))


def _installed(packages: Iterable[rpmdb.Installed]) -> tuple[InstalledPackage, ...]:
    return tuple(InstalledPackage(name=p.name, evr=p.evr, arch=p.arch) for p in packages)


def _kernel_releases(packages: Sequence[rpmdb.Installed]) -> tuple[str, ...]:
    provided = (relation for package in packages for relation in package.provides)
    return tuple(sorted({relation.evr for relation in provided if relation.name == rpmdb.UNAME_R}))


def _requires(packages: Sequence[rpmdb.Installed], names: set[str]) -> dict[str, tuple[str, ...]]:
    return {
        package.name: tuple(str(relation) for relation in package.requires)
        for package in packages
        if package.name in names
    }


def _leftovers(root: Path) -> tuple[str, ...]:
    found = {path for pattern in LEFTOVERS for path in root.glob(pattern)}
    # Empty folders belong to the file system package: /usr/src/kernels, /var/log, ...
    kept = (path for path in found if not _is_folder(path) or any(path.iterdir()))
    return tuple(sorted(str(path.relative_to(root)) for path in kept))


def _is_folder(path: Path) -> bool:
    """Tell a folder from a link to one, and from what else a build may leave: files, sockets."""
    return path.is_dir() and not path.is_symlink()


def _firmware(root: Path) -> tuple[str, ...]:
    files = (root / "usr/lib/firmware/nvidia").glob("*/gsp*.bin*")
    return tuple(sorted({path.parent.name for path in files}))


def _initramfs(mounted: MountedImage, kernel: str) -> InitramfsFact | None:
    path = MODULES / kernel / "initramfs.img"
    if not (mounted.root / path).is_file():
        return None
    status = (mounted.root / path).stat()
    return InitramfsFact(
        path=str(path),
        mode=status.st_mode & MODE,
        size=status.st_size,
        listing=mounted.ask("lsinitrd", f"/{path}"),
    )


def _dnf_check(mounted: MountedImage) -> ProgramOutput:
    return mounted.ask("dnf", "--quiet", "check")


def _kargs(root: Path) -> dict[str, str]:
    files = sorted((root / "usr/lib/bootc/kargs.d").glob("*"))
    return {path.name: path.read_text("utf-8", "replace") for path in files}


def _bootc_lint(mounted: MountedImage) -> ProgramOutput | None:
    # The first program that runs in the image: the lint judges /var, where others leave files.
    if not (mounted.root / "usr/bin/bootc").exists():
        return None
    return mounted.ask("bootc", "container", "lint")
