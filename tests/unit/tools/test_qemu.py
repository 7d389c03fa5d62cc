"""Whether a machine starts, and what QEMU is told."""

import errno
import os
from pathlib import Path

import pytest

from immutable_base.errors import CommandError
from immutable_base.process import Result
from immutable_base.tools import qemu


def machine(**changes):
    values = {
        "accelerator": "tcg", "memory_mib": 2048, "cores": 2,
        "disks": (qemu.Disk(path=Path("/w/root.raw"), serial="root"),),
        "kernel": qemu.BootFiles(image=Path("/w/k"), initramfs=Path("/w/i"), arguments="root=x rw"),
        "console": Path("/w/console"), "answers": Path("/w/answers"),
    }  # fmt: skip
    return qemu.Machine(**{**values, **changes})


def after(words, option):
    return [words[number + 1] for number, word in enumerate(words) if word == option]


def test_nothing_of_the_machine_is_reached_from_outside_but_what_is_asked_for():
    words = qemu.arguments(machine())
    assert "hostfwd" not in " ".join(words)
    assert "-nodefaults" in words
    assert "-no-reboot" in words
    forwarded = " ".join(qemu.arguments(machine(ssh_port=2222)))
    assert "hostfwd=tcp:127.0.0.1:2222-:22" in forwarded


def test_disks_are_found_by_their_serial_and_keep_what_is_written_unless_told_otherwise():
    thrown = qemu.Disk(path=Path("/w/pool"), serial="pool", discard=True)
    drives = after(qemu.arguments(machine(disks=(machine().disks[0], thrown))), "-drive")
    assert ["snapshot=off" in drive for drive in drives] == [True, False]
    assert "virtio-blk-pci,drive=root,serial=root" in qemu.arguments(machine())


def test_only_without_kvm_the_kernel_is_spared_something():
    (emulated,) = after(qemu.arguments(machine()), "-append")
    (real,) = after(qemu.arguments(machine(accelerator="kvm")), "-append")
    assert emulated == f"{real} mitigations=off cryptomgr.notests no_timer_check"
    assert real == machine().kernel.arguments


def test_without_kvm_the_processor_is_the_oldest_that_el10_runs_on():
    assert after(qemu.arguments(machine()), "-cpu") == ["Haswell-noTSX"]
    assert after(qemu.arguments(machine(accelerator="kvm")), "-cpu") == ["host"]


def test_secure_boot_firmware_keeps_its_code_and_has_variables_of_its_own():
    firmware = qemu.Firmware(code=Path("/f/code"), variables=Path("/w/vars"))
    words = qemu.arguments(machine(firmware=firmware))
    assert after(words, "-machine") == ["q35,smm=on"]
    assert "if=pflash,format=raw,unit=0,readonly=on,file=/f/code" in words
    assert "if=pflash,format=raw,unit=1,file=/w/vars" in words


def test_kvm_that_gives_up_is_an_error_though_qemu_ends_with_0():
    def run(_command):
        return Result(status=0, stdout=b"", stderr_tail="KVM internal error. Suberror: 1")

    with pytest.raises(CommandError, match="KVM cannot run"):
        qemu.start(run, machine(), seconds=1, until=lambda: False)


def test_somebody_may_sit_at_the_console_and_what_it_shows_is_kept_all_the_same():
    assert after(qemu.arguments(machine()), "-serial") == ["file:/w/console"]
    words = qemu.arguments(machine(console_socket=Path("/w/socket")))
    assert after(words, "-serial") == ["chardev:console"]
    listening = "socket,id=console,path=/w/socket,server=on,wait=off,logfile=/w/console"
    assert listening in after(words, "-chardev"), "it starts without anybody there"


@pytest.fixture
def kvm(tmp_path, monkeypatch):
    """A device that answers as it is told; the descriptors that it gave are real."""
    device = tmp_path / "kvm"
    device.touch()
    monkeypatch.setattr(qemu, "KVM", device)
    given = []

    def let(*, machine=True, processor=True):
        def ioctl(_, request, argument):
            assert argument == 0
            if {qemu.CREATE_VM: machine, qemu.CREATE_VCPU: processor}[request]:
                given.append(os.open(device, os.O_RDONLY))
                return given[-1]
            raise OSError(errno.EINVAL, "Invalid argument")

        monkeypatch.setattr(qemu.fcntl, "ioctl", ioctl)
        return given

    return let


@pytest.mark.parametrize(
    ("what", "opens"),
    [({}, True), ({"machine": False}, False), ({"processor": False}, False)],
    ids=["it works", "no machine", "a machine and no processor"],
)
def test_kvm_opens_where_a_machine_with_a_processor_can_be_made(kvm, what, opens):
    given = kvm(**what)
    assert qemu.kvm_opens() is opens
    for descriptor in given:
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)


def test_a_host_without_the_device_has_no_kvm(tmp_path, monkeypatch):
    monkeypatch.setattr(qemu, "KVM", tmp_path / "none")
    assert not qemu.kvm_opens()
