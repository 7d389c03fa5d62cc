"""The module families as their upstreams package them: OpenZFS, NVIDIA's driver."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from debian.debian_support import Version

from immutable_base.errors import HostError
from immutable_base.model.evr import Evr
from immutable_base_lab.debian.archive import Archive, Deb
from immutable_base_lab.rpms import convert, merge
from immutable_base_lab.rpms.jobs import Job, Workshop
from immutable_base_lab.rpms.merge import Merged

ZFS_LIBRARY = re.compile(r"lib(?:zfs|zpool|nvpair|uutil)\d+linux")
# OpenZFS's META of the releases that the lab can meet (kernel-devel range of its RPMs).
META = re.compile(r"^Linux-(Maximum|Minimum):\s*(\S+)", re.MULTILINE)
NVIDIA_EPOCH = 3
CUDA_LIBRARIES = (
    "libcuda1", "libcudadebugger1", "libnvcuvid1", "libnvidia-encode1", "libnvidia-nvvm4",
    "libnvidia-opticalflow1", "libnvidia-pkcs11-openssl3", "libnvidia-ptxjitcompiler1",
)  # fmt: skip
# Three packages before driver 610, one since; this is 550.
NVIDIA_LIBRARIES = {
    "libnvidia-ml": "libnvidia-ml1",
    "libnvidia-cfg": "libnvidia-cfg1",
    "libnvidia-gpucomp": "libnvidia-gpucomp",
}
LATER_BRANCHES = ("590.48.01-1", "595.71.05-1")
"""NVIDIA's repository carries several branches of the driver, and so of what comes with it."""
NVIDIA_LICENSE = "LicenseRef-NVIDIA-proprietary"
NVIDIA_OTHERS = frozenset(
    {"nvidia-support", "nvidia-alternative", "nvidia-legacy-check", "nvidia-kernel-support"}
)


def needed() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return what the families need from Debian beyond the catalogue, by repository."""
    return (
        (
            "baseos",
            ("libblkid1", "libssl3t64", "libtirpc3t64", "libudev1", "libuuid1", "python3"),
        ),
    )


def jobs(workshop: Workshop, archive: Archive) -> list[Job]:
    """Return the conversions of both families. Raises HostError if Debian lacks one."""
    return [*_nvidia(workshop, archive), *_zfs(workshop, archive)]


def _zfs(workshop: Workshop, archive: Archive) -> list[Job]:
    series = f"{workshop.catalogue.zfs_series}."
    found = [deb for deb in archive.all("zfsutils-linux") if deb.version.startswith(series)]
    if not found:
        raise HostError(f"Debian's archive has no OpenZFS {series[:-1]}")
    utils = found[-1]
    mapped = convert.evr(utils.version)
    names = {each.name for group in utils.relations("depends") for each in group}
    libraries = sorted(name for name in names if ZFS_LIBRARY.fullmatch(name))
    family = frozenset({"zfsutils-linux", "zfs-zed", "zfs-dkms", *libraries})

    def exact(*debs: str) -> tuple[Deb, ...]:
        return tuple(_exact(archive, name, utils.version) for name in debs)

    own = [_zfs_library(name, exact(name), mapped) for name in libraries]
    same = tuple(f"{each.name} = {mapped}" for each in own)
    own.append(_zfs_tools(exact("zfsutils-linux", "zfs-zed"), mapped, same))
    own.append(_zfs_dkms(workshop, exact("zfs-dkms"), mapped))
    return [merge.job(workshop, each, family) for each in own]


def _zfs_library(debian: str, debs: tuple[Deb, ...], evr: Evr) -> Merged:
    name = debian.removesuffix("linux")
    return Merged(name=name, repository="openzfs", debs=debs, evr=evr, license="CDDL-1.0")


def _zfs_tools(debs: tuple[Deb, ...], evr: Evr, libraries: tuple[str, ...]) -> Merged:
    return Merged(
        name="zfs",
        repository="openzfs",
        debs=debs,
        evr=evr,
        license="CDDL-1.0",
        provides=(f"zfs-kmod-common = {evr}",),
        requires=(*libraries, f"zfs-kmod = {evr.version}", "openssl", "util-linux", "sysstat"),
        arrange=_arrange_zfs,
    )


def _exact(archive: Archive, name: str, version: str) -> Deb:
    deb = archive.exact(name, version)
    if deb is None:
        raise HostError(f"Debian's archive has no {name} {version}, though packages beside it")
    return deb


def _arrange_zfs(tree: Path) -> None:
    for unwanted in ("etc/cron.d", "etc/sudoers.d", "usr/lib/os-probes"):
        shutil.rmtree(tree / unwanted, ignore_errors=True)


def _zfs_dkms(workshop: Workshop, debs: tuple[Deb, ...], mapped: Evr) -> Merged:
    low, high = _kernel_range(workshop, debs[0])
    return Merged(
        name="zfs-dkms",
        repository="openzfs",
        debs=debs,
        evr=mapped,
        arch="noarch",
        license="CDDL-1.0",
        only_own_requires=True,
        requires=(
            "dkms >= 2.2.0.3", "gcc", "make", "perl", "diffutils",
            *(f"{name} {limit}" for name in ("kernel-devel", "kernel-uname-r")
              for limit in (f">= {low}", f"<= {high}.999")),
        ),
        conflicts=tuple(
            f"kernel-devel {limit}" for limit in (f"< {low}", f"> {high}.999")
        ),
        provides=(f"zfs-kmod = {mapped.version}",),
        scripts=merge.dkms_scripts("zfs", mapped.version),
    )  # fmt: skip


def _kernel_range(workshop: Workshop, deb: Deb) -> tuple[str, str]:
    """Read the kernel range from the META file of the very package."""
    folder = workshop.paths.debs / f"{deb.file_name}.unpacked"
    try:
        convert.unpack(workshop.download([deb]).values(), folder)
        (meta,) = folder.glob("usr/src/zfs-*/META")
        limits = dict(META.findall(meta.read_text()))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return limits["Minimum"], limits["Maximum"]


def _nvidia(workshop: Workshop, archive: Archive) -> list[Job]:
    stable = archive.newest("nvidia-open-kernel-dkms", ("trixie", "trixie-updates"))
    if stable is None:
        raise HostError("Debian's archive has no NVIDIA open kernel modules")
    mapped = convert.evr(stable.version)
    evr = Evr(epoch=NVIDIA_EPOCH, version=mapped.version, release=mapped.release)

    def some(*names: str) -> tuple[Deb, ...]:
        return tuple(_exact(archive, name, stable.version) for name in names)

    own = [_nvidia_dkms((stable,), evr), *_nvidia_userspace(archive, some, evr)]
    family = frozenset({deb.name for each in own for deb in each.debs} | NVIDIA_OTHERS)
    return [merge.job(workshop, each, family) for each in own]


def _nvidia_dkms(debs: tuple[Deb, ...], evr: Evr) -> Merged:
    version = evr.version

    def arrange(tree: Path) -> None:
        (source,) = (tree / "usr/src").iterdir()
        renamed = source.rename(source.with_name(f"nvidia-{version}"))
        conf = (merge.FILES / "kmod-nvidia-open-dkms/dkms.conf").read_text()
        (renamed / "dkms.conf").write_text(conf.replace("@VERSION@", version))
        for unwanted in ("etc", "usr/share", "usr/lib"):
            shutil.rmtree(tree / unwanted, ignore_errors=True)

    return Merged(
        name="kmod-nvidia-open-dkms",
        repository="cuda",
        debs=debs,
        evr=evr,
        arch="noarch",
        license="MIT AND GPL-2.0-only",
        only_own_requires=True,
        requires=("dkms >= 3.1.8", "gcc", "make", f"nvidia-kmod-common = {evr.epoch}:{version}"),
        provides=(f"nvidia-kmod = {evr.epoch}:{version}",),
        arrange=arrange,
        scripts=merge.dkms_scripts("nvidia", version),
    )


def _nvidia_userspace(
    archive: Archive, some: Callable[..., tuple[Deb, ...]], evr: Evr
) -> list[Merged]:
    same = f"{evr.epoch}:{evr.version}"

    def one(name: str, debs: tuple[Deb, ...], *requires: str, arch: str = "x86_64") -> Merged:
        return Merged(
            name=name, repository="cuda", debs=debs, evr=evr, license=NVIDIA_LICENSE, arch=arch,
            requires=requires, arrange=_arrange_nvidia,
        )  # fmt: skip

    return [
        one(
            "nvidia-kmod-common", some("firmware-nvidia-gsp"), f"nvidia-kmod = {same}",
            arch="noarch",
        ),
        *(one(name, some(debian)) for name, debian in NVIDIA_LIBRARIES.items()),
        one(
            "nvidia-driver-cuda-libs", some(*CUDA_LIBRARIES),
            *(f"{name} = {same}" for name in NVIDIA_LIBRARIES),
        ),
        one(
            "nvidia-driver-cuda", some("nvidia-smi", "nvidia-cuda-mps"),
            f"nvidia-driver-cuda-libs = {same}", f"nvidia-kmod-common = {same}",
            f"nvidia-persistenced = {same}", "nvidia-modprobe",
        ),
        _other(archive, "nvidia-persistenced", "libnvidia-cfg", version=evr.version),
        *branches_of(_other(archive, "nvidia-modprobe"), evr),
    ]  # fmt: skip


def branches_of(merged: Merged, evr: Evr) -> tuple[Merged, ...]:
    """Return a package as it is in the driver's version, and as later branches have it.

    It is required without a version: the newest would come beside any driver.
    """
    later = [Evr.parse(text) for text in LATER_BRANCHES]
    versions = [evr, *(replace(item, epoch=NVIDIA_EPOCH) for item in later)]
    return tuple(replace(merged, evr=version) for version in versions)


def _other(archive: Archive, name: str, *requires: str, version: str | None = None) -> Merged:
    """Describe a program that Debian builds from a source package of its own."""
    debs = [
        deb for deb in archive.all(name)
        if version is None or Version(deb.version).upstream_version == version
    ]  # fmt: skip
    if not debs:
        raise HostError(f"Debian's archive has no {name} {version or ''}")
    mapped = convert.evr(debs[-1].version)
    return Merged(
        name=name,
        repository="cuda",
        debs=(debs[-1],),
        evr=Evr(epoch=NVIDIA_EPOCH, version=mapped.version, release=mapped.release),
        license="GPL-2.0-or-later" if name == "nvidia-modprobe" else "MIT",
        requires=requires,
        arrange=_arrange_nvidia,
    )


def _arrange_nvidia(tree: Path) -> None:
    """Put what Debian hides behind alternatives where NVIDIA puts it."""
    moves = {
        "usr/lib/x86_64-linux-gnu/nvidia/current": "usr/lib/x86_64-linux-gnu",
        "usr/lib/nvidia/current": "usr/bin",
    }
    for old, new in moves.items():
        if (tree / old).is_dir():
            (tree / new).mkdir(parents=True, exist_ok=True)
            for path in (tree / old).iterdir():
                if path.suffix == ".gz":
                    path.unlink()
                else:
                    path.rename(tree / new / path.name)
            shutil.rmtree((tree / old).parent)
