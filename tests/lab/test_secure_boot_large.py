"""OpenZFS under UEFI Secure Boot: a kernel that is locked down loads its modules, and a pool works."""

from __future__ import annotations

import pytest

from immutable_base import process
from immutable_base.boot.machine import BootAttempt, boot
from immutable_base.boot.questions import ZFS_FIRST, GuestQuestion
from immutable_base_lab.core.paths import LabPaths
from support.machines import prepared_machine, with_pool_disk
from support.secure_boot import STATE, Pair, trusting

pytestmark = [pytest.mark.large, pytest.mark.long]

NAME = "base-zfs"
NONCE = "2f" * 16
LOADS = GuestQuestion(name="zfs loads", script="modprobe zfs && grep ^zfs /proc/modules")


@pytest.fixture(scope="module")
def answers(lab, night, tmp_path_factory):
    """What a machine says that trusts our key, and the one that signed its kernel."""
    folder = tmp_path_factory.mktemp("secure-boot")
    plain, _ = prepared_machine(night.workspace / "tonight", NAME, folder)
    platform = Pair.make(folder, "platform", 1)
    ours = LabPaths(root=lab.state).module_keys / "module-signing.pem"
    machine = trusting(with_pool_disk(plain, folder), folder / "firmware", platform, [ours])
    asked = (*STATE, LOADS, *ZFS_FIRST)
    attempt = BootAttempt(machine=machine, asked=asked, nonce=NONCE, folder=folder, seconds=1800)
    return {it.question: it for it in boot(process.run, attempt).answers}


def test_secure_boot_is_on_and_the_kernel_locked_down(answers):
    assert answers["secure boot"].text.split()[-1] == "1"
    assert "[integrity]" in answers["lockdown"].text


@pytest.mark.parametrize("asked", [LOADS, *ZFS_FIRST], ids=lambda it: it.name.replace(" ", "-"))
def test_openzfs_loads_and_a_pool_works(answers, asked):
    assert answers[asked.name].status == 0, answers[asked.name].text
