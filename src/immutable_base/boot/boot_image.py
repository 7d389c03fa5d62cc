"""The boot gate: an image installed, started as often as its promises need, and judged."""

from __future__ import annotations

import secrets
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from immutable_base.boot import disk
from immutable_base.boot.judge import Expected, judge, why_late
from immutable_base.boot.machine import BootAttempt, Kvm, choose_accelerator
from immutable_base.boot.questions import POOL_DISK, boots_of, questions
from immutable_base.boot.watch import ROOM
from immutable_base.config.boot import BootSettings
from immutable_base.errors import OUT_OF_SPACE_HINT, CheckError, HostError
from immutable_base.image.program import MountedImage
from immutable_base.model.boot import Boot
from immutable_base.model.check import Finding, Level
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan
from immutable_base.process import LineSink, Runner
from immutable_base.tools import qemu

ARGUMENTS = (
    "root=/dev/disk/by-id/virtio-root", "rw", "console=ttyS0",
    "panic=-1", "rd.shell=0", "nosoftlockup", "rcupdate.rcu_cpu_stall_suppress=1",
)  # fmt: skip
"""The kernel's: after a panic the machine ends, the initramfs asks nobody, and a processor that got
no time on a busy host is no fault of the image."""
POOL_MIB = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class BootRequest:
    """One image to boot."""

    variant: VariantPlan
    facts: ImageFacts
    layout: Path
    """Its OCI layout, whole and of this image."""
    digest: str
    origin: str
    """Where a host will look for updates: a repository with a tag."""
    folder: Path
    """Becomes empty at the beginning, and holds the consoles at the end."""
    settings: BootSettings
    kvm: Kvm = field(default_factory=Kvm)
    """What other boots of this run have seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Booted:
    """What came of it."""

    boots: tuple[Boot, ...]
    findings: tuple[Finding, ...]

    @property
    def failed(self) -> bool:
        """Whether anything speaks against the image."""
        return any(finding.level is Level.ERROR for finding in self.findings)


def boot_image(run: Runner, image: MountedImage, request: BootRequest, report: LineSink) -> Booted:
    """Install and boot an image; return what it answered and what that means.

    Raises CheckError if it cannot be installed or does not come up, HostError or CommandError if
    this host fails: what an image did on a full disk says nothing about it. What an emulated
    machine had no time for is done once more.
    """
    booted = _boot_new_disks(run, image, request, report)
    why = why_late(booted.boots)
    if not (why and booted.failed):
        return booted
    report("booting again, as the machine was late")
    booted = _boot_new_disks(run, image, request, report)
    return replace(booted, findings=(*booted.findings, _note(why)))


def _boot_new_disks(
    run: Runner, image: MountedImage, request: BootRequest, report: LineSink
) -> Booted:
    shutil.rmtree(request.folder, ignore_errors=True)
    request.folder.mkdir(parents=True)
    nonce = secrets.token_hex(16)
    root = request.folder / "root.raw"
    try:
        report("installing")
        machine = prepare(run, image, request, root)
        boots, notes = _boots(run, request, machine, nonce, report)
        expected = Expected(
            facts=request.facts, plan=request.variant, digest=request.digest, nonce=nonce
        )
        booted = Booted(boots=boots, findings=(*judge(boots, expected), *notes))
        if booted.failed:
            _require_room(request.folder)
    except CheckError:
        # The program that found no room may say so in no words that anybody knows.
        _require_room(request.folder)
        raise
    finally:
        for leftover in request.folder.glob("*"):
            if leftover.suffix != ".log" and leftover.is_file():
                leftover.unlink()
        disk.remove_sysroot(run, request.folder / "sysroot")
    return booted


def _require_room(folder: Path) -> None:
    if shutil.disk_usage(folder).free < ROOM:
        raise HostError(f"the disk of {folder} is full", hint=OUT_OF_SPACE_HINT)


def prepare(run: Runner, image: MountedImage, request: BootRequest, root: Path) -> qemu.Machine:
    """Make the disks; return the machine that has them."""
    kernel = install_disk(run, image, request.layout, root, origin=request.origin)
    disks = [qemu.Disk(path=root, serial="root")]
    if boots_of(request.variant) > 1:
        disks.append(make_pool_disk(request.folder))
    return qemu.Machine(
        accelerator=choose_accelerator(),
        memory_mib=request.settings.memory_mib,
        cores=request.settings.cores,
        disks=tuple(disks),
        kernel=kernel,
        console=request.folder / "console.log",
        answers=request.folder / "answers",
    )


def make_pool_disk(folder: Path) -> qemu.Disk:
    """Make the empty disk that a guest finds as `POOL_DISK`."""
    path = folder / "pool.raw"
    with path.open("wb") as file:
        file.truncate(POOL_MIB << 20)
    return qemu.Disk(path=path, serial=POOL_DISK.rpartition("-")[2])


def install_disk(
    run: Runner, image: MountedImage, layout: Path, root: Path, *, origin: str
) -> qemu.BootFiles:
    """Install an image on a new disk; return what a boot loader would start, beside the disk.

    `origin`: where the host will look for updates, a repository with a tag. Raises CheckError if
    the image cannot be installed, CommandError.
    """
    sysroot = root.with_name("sysroot")
    entry = disk.install(
        image, layout, sysroot,
        origin=f"ostree-unverified-registry:{origin}", arguments=ARGUMENTS,
    )  # fmt: skip
    kernel = qemu.BootFiles(
        image=_keep(sysroot, entry.kernel, root.with_name("vmlinuz")),
        initramfs=_keep(sysroot, entry.initramfs, root.with_name("initramfs")),
        arguments=entry.arguments,
    )
    disk.make_file_system(run, sysroot, root)
    return kernel


def _keep(sysroot: Path, name: str, target: Path) -> Path:
    """Copy what a boot loader would read; return the copy."""
    shutil.copyfile(sysroot / "boot" / name.lstrip("/"), target)
    return target


def _boots(
    run: Runner, request: BootRequest, machine: qemu.Machine, nonce: str, report: LineSink
) -> tuple[tuple[Boot, ...], tuple[Finding, ...]]:
    boots: list[Boot] = []
    notes: list[Finding] = []
    count = boots_of(request.variant)
    for number in range(1, count + 1):
        attempt = BootAttempt(
            machine=replace(machine, console=request.folder / f"console-{number}.log"),
            asked=questions(request.facts, request.variant, boot=number),
            nonce=nonce,
            folder=request.folder,
            seconds=request.settings.seconds,
            powers_off=number < count,
        )
        report(f"boot {number}")
        boot, why = request.kvm.boot(run, attempt)
        machine = replace(machine, accelerator=boot.accelerator)
        boots.append(boot)
        notes += (_note(it) for it in (why, boot.again) if it)
    return tuple(boots), tuple(notes)


def _note(why: str) -> Finding:
    return Finding(
        id="boot-accelerator",
        title="the machine runs on KVM",
        reason="without it a boot takes several times as long, and meets faults of QEMU's own",
        level=Level.NOTE,
        message=why,
    )
