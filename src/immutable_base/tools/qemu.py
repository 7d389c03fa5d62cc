"""QEMU: one machine from power on to power off, without network of its own but to this host.

Console and answers go to files, so that nothing is lost when the machine ends, and a flood fills
no pipe. Source of the options: qemu(1), https://www.qemu.org/docs/master/system/invocation.html.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.errors import CommandError
from immutable_base.process import Command, Runner

PROGRAM = "qemu-system-x86_64"
KVM = Path("/dev/kvm")
CREATE_VM, CREATE_VCPU = 0xAE01, 0xAE41
"""KVM_CREATE_VM and KVM_CREATE_VCPU. Source: Documentation/virt/kvm/api.rst of the kernel."""
CPUS: Mapping[str, str] = {"kvm": "host", "tcg": "Haswell-noTSX"}
"""The oldest processor of x86-64-v3, which CentOS Stream 10 requires, where none is real."""
EMULATED = ("mitigations=off", "cryptomgr.notests", "no_timer_check")
"""Added to the kernel's arguments where no processor is real: guards against what a real one leaks,
and the kernel's tests of its own ciphers, take a third of a boot and show nothing of an image. On a
busy host an emulated timer is late, which the kernel takes for a fault of the board, and may panic;
under KVM it asks no timer. Sources: Documentation/admin-guide/kernel-parameters.txt, and
paravirt_ops_setup in arch/x86/kernel/kvm.c, of the kernel."""
KVM_GAVE_UP = "KVM internal error"
"""What QEMU says at KVM_EXIT_INTERNAL_ERROR; the machine then stands still."""
TOLERANCE = 30.0
"""Seconds that QEMU itself needs beyond what its machine may take."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Disk:
    """A raw disk image."""

    path: Path
    serial: str
    """The guest finds it as /dev/disk/by-id/virtio-<serial>."""
    discard: bool = False
    """Whether what the machine writes is thrown away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firmware:
    """UEFI: its code, which stays as it is, and its variables, which the machine changes."""

    code: Path
    variables: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class BootFiles:
    """What is started without a boot loader."""

    image: Path
    initramfs: Path
    arguments: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A machine to start."""

    accelerator: str
    """`kvm` or `tcg`."""
    memory_mib: int
    cores: int
    disks: tuple[Disk, ...]
    kernel: BootFiles | None
    """None: the firmware looks for a boot loader on the disks."""
    console: Path
    """File that receives what the serial console shows."""
    console_socket: Path | None = None
    """Socket at which somebody may sit at the serial console; None: nobody types there."""
    answers: Path
    """File that receives what is written to /dev/virtio-ports/immutable-base."""
    credentials: tuple[Path, ...] = ()
    """Files with one line each, `io.systemd.credential.binary:NAME=BASE64`: see systemd.exec(5)."""
    firmware: Firmware | None = None
    """None: QEMU's own BIOS."""
    ssh_port: int | None = None
    """Port of this host's loopback that leads to the machine's port 22."""
    extra: tuple[str, ...] = field(default=())


def kvm_opens() -> bool:
    """Tell whether this host lets us make a virtual machine: the device alone proves nothing."""
    try:
        with KVM.open("rb+", buffering=0) as device:
            machine = fcntl.ioctl(device, CREATE_VM, 0)
    except OSError:
        return False
    try:
        os.close(fcntl.ioctl(machine, CREATE_VCPU, 0))
    except OSError:
        return False
    finally:
        os.close(machine)
    return True


def start(run: Runner, machine: Machine, *, seconds: float, until: Callable[[], bool]) -> None:
    """Run a machine until it powers off, or `until` returns true.

    Raises ToolMissingError without QEMU, CommandError if it fails, KVM cannot go on, or it takes
    longer than `seconds`.
    """
    hint = "`immutable-base doctor` tells what this host lacks"
    command = Command(
        argv=arguments(machine),
        timeout=seconds + TOLERANCE,
        until=until,
        hint=hint,
        # What the guest writes to a disk that is thrown away lies there meanwhile, and not in
        # /var/tmp, of which nobody has asked whether it has room.
        env={"TMPDIR": str(machine.answers.parent)},
    )
    words = run(command).stderr_tail
    if KVM_GAVE_UP in words:
        raise CommandError("KVM cannot run this machine", details=words, hint=hint)


def arguments(machine: Machine) -> tuple[str, ...]:
    """Return the command that starts a machine."""
    accelerator = {"tcg": "tcg,thread=multi"}.get(machine.accelerator, machine.accelerator)
    network = "user,id=net,restrict=off"
    if machine.ssh_port is not None:
        network += f",hostfwd=tcp:127.0.0.1:{machine.ssh_port}-:22"
    return (
        PROGRAM, "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
        "-monitor", "none", "-machine", "q35,smm=on" if machine.firmware else "q35",
        "-accel", accelerator, "-cpu", CPUS[machine.accelerator],
        "-smp", str(machine.cores), "-m", str(machine.memory_mib),
        *_firmware(machine.firmware),
        *_kernel(machine),
        *(word for disk in machine.disks for word in _disk(disk)),
        *_console(machine),
        "-device", "virtio-serial-pci", "-chardev", f"file,id=answers,path={machine.answers}",
        "-device", "virtserialport,chardev=answers,name=immutable-base",
        "-device", "virtio-rng-pci",
        "-netdev", network, "-device", "virtio-net-pci,netdev=net",
        *(word for path in machine.credentials for word in ("-smbios", f"type=11,path={path}")),
        *machine.extra,
    )  # fmt: skip


def _kernel(machine: Machine) -> tuple[str, ...]:
    if machine.kernel is None:
        return ()
    said = (machine.kernel.arguments, *(EMULATED if machine.accelerator == "tcg" else ()))
    files = ("-kernel", str(machine.kernel.image), "-initrd", str(machine.kernel.initramfs))
    return (*files, "-append", " ".join(said))


def _console(machine: Machine) -> tuple[str, ...]:
    if machine.console_socket is None:
        return ("-serial", f"file:{machine.console}")
    listening = f"socket,id=console,path={machine.console_socket},server=on,wait=off"
    return ("-chardev", f"{listening},logfile={machine.console}", "-serial", "chardev:console")


def _disk(disk: Disk) -> tuple[str, ...]:
    snapshot = "on" if disk.discard else "off"
    # What the guest writes is lost with the machine, so nothing has to reach this host's disk.
    drive = f"file={disk.path},format=raw,if=none,id={disk.serial},cache=unsafe,snapshot={snapshot}"
    return (
        "-drive", drive,
        "-device", f"virtio-blk-pci,drive={disk.serial},serial={disk.serial}",
    )  # fmt: skip


def _firmware(firmware: Firmware | None) -> tuple[str, ...]:
    if firmware is None:
        return ()
    pflash = "if=pflash,format=raw"
    return (
        "-global", "driver=cfi.pflash01,property=secure,value=on",
        "-drive", f"{pflash},unit=0,readonly=on,file={firmware.code}",
        "-drive", f"{pflash},unit=1,file={firmware.variables}",
    )  # fmt: skip
