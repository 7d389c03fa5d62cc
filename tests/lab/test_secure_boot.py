"""Modules under UEFI Secure Boot: the kernel is locked down, and takes what an enrolled key signed.

OVMF trusts a key that only this machine's variables know, which the kernel is signed anew with; the
kernel checks modules against what the firmware's db holds.
"""

from __future__ import annotations

import io
import lzma
import tarfile
from dataclasses import replace

import pytest

from immutable_base import process
from immutable_base.boot.machine import BootAttempt, boot
from immutable_base.boot.questions import GuestQuestion
from immutable_base.documents import Documents
from immutable_base.image.program import mounted_image
from immutable_base.model.facts import ImageFacts
from immutable_base.tools.buildah import Storage
from immutable_base.tools.qemu import Disk
from immutable_base_lab.core.paths import LabPaths
from support.machines import prepared_machine
from support.module_signature import SignedModule
from support.publisher import Publisher
from support.secure_boot import (
    STATE,
    Pair,
    enrolled,
    firmware_says,
    sign_kernel,
    sign_module,
    trusting,
)

pytestmark = pytest.mark.long

NAME = "tiny-metronome"
NONCE = "5e" * 16
REFUSED = ("Key was rejected by service", "Operation not permitted", "Required key not available")
"""EKEYREJECTED, EPERM (lockdown) and ENOKEY, as insmod tells them."""
UNPACK = "mkdir /run/tried && dd status=none if=/dev/disk/by-id/virtio-tried | tar -x -C /run/tried"
NEXT = "rmmod metronome && insmod /run/tried/next.ko && rmmod metronome"
"""The image's own is loaded at every boot."""
LOADS = GuestQuestion(name="ours", script="modprobe metronome && grep metronome /proc/modules")
ASKED = (
    *STATE,
    GuestQuestion(name="unpack", script=UNPACK),
    GuestQuestion(name="unsigned", script="insmod /run/tried/unsigned.ko"),
    GuestQuestion(name="foreign", script="insmod /run/tried/foreign.ko"),
    GuestQuestion(name="changed", script="insmod /run/tried/changed.ko"),
    GuestQuestion(name="next", script=NEXT),
    LOADS,
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("secure-boot")


@pytest.fixture(scope="module")
def platform(folder):
    return Pair.make(folder, "platform", 1)


@pytest.fixture(scope="module")
def machine(tiny_lab, tiny_night, folder, platform):
    """A machine that trusts the keys of this night and the next, with modules to try beside."""
    keys = LabPaths(root=tiny_lab.state).module_keys
    plain, _ = prepared_machine(tiny_night.workspace / "tonight", NAME, folder)
    tried = Disk(path=_modules_to_try(tiny_night.workspace, folder, keys), serial="tried")
    certificates = [keys / "module-signing.pem", keys / "module-signing-next.pem"]
    return replace(
        plain,
        accelerator="tcg",
        disks=(replace(plain.disks[0], discard=True), tried),
        firmware=enrolled(folder, platform, certificates),
    )


def _modules_to_try(workspace, folder, keys):
    stranger = Pair.make(folder, "stranger", 2)
    signed = _module_of(workspace)
    content = SignedModule.parse(signed).content
    following = (keys / "module-signing-next.key", keys / "module-signing-next.pem")
    modules = {
        "unsigned": content,
        "foreign": sign_module(content, stranger.key, stranger.certificate),
        "changed": signed.replace(b"metronome", b"Metronome", 1),
        "next": sign_module(content, *following),
    }
    path = folder / "tried.tar"
    with tarfile.open(path, "w") as archive:
        for name, module in modules.items():
            entry = tarfile.TarInfo(f"{name}.ko")
            entry.size = len(module)
            archive.addfile(entry, io.BytesIO(module))
    return path


def _module_of(workspace):
    image = Documents(workspace / "tonight").parse(ImageFacts, f"inspect/{NAME}.json").image_id
    with mounted_image(Storage(process.run, workspace / "storage"), image) as mounted:
        (path,) = mounted.root.glob("usr/lib/modules/*/extra/metronome.ko.xz")
        return lzma.decompress(path.read_bytes())


@pytest.fixture(scope="module")
def answers(machine, folder, platform):
    """What the machine says with a kernel that the firmware trusts."""
    kernel = replace(machine.kernel, image=sign_kernel(machine.kernel.image, platform))
    return _answers(replace(machine, kernel=kernel), folder, ASKED)


def _answers(machine, folder, asked):
    attempt = BootAttempt(machine=machine, asked=asked, nonce=NONCE, folder=folder, seconds=900)
    return {it.question: it for it in boot(process.run, attempt).answers}


def test_secure_boot_is_on_and_the_kernel_locked_down(answers):
    assert answers["secure boot"].text.split()[-1] == "1"
    assert "[integrity]" in answers["lockdown"].text


def test_the_module_of_the_image_loads(answers):
    assert answers["ours"].status == 0, answers["ours"].text


def test_so_does_one_of_the_key_that_follows(answers):
    """A rotation takes two nights: hosts have both certificates enrolled by then."""
    assert answers["next"].status == 0, answers["next"].text


@pytest.mark.parametrize("which", ["unsigned", "foreign", "changed"])
def test_what_no_enrolled_key_has_signed_is_refused(answers, which):
    assert answers["unpack"].status == 0, answers["unpack"].text
    assert answers[which].status != 0
    assert any(words in answers[which].text for words in REFUSED), answers[which].text


def test_the_firmware_starts_what_its_key_signed_and_nothing_else(machine, folder, platform):
    signed = sign_kernel(machine.kernel.image, platform)
    assert "UEFI Secure Boot is enabled" in firmware_says(machine, signed, folder)
    unsigned = signed.with_name("vmlinuz-bare")
    words = firmware_says(machine, unsigned, folder)
    assert "Access Denied" in words
    assert "EFI stub" not in words


# ------------------------------------------------------------------ the image after a rotation


@pytest.fixture(scope="module")
def following(tiny_lab, folder):
    """The image of a later night: the key that was announced signs its module, and is alone in it."""
    keys = LabPaths(root=tiny_lab.state).module_keys
    mine, other = (keys / f"module-signing{which}.pem" for which in ("", "-next"))
    rotated = (
        f'certificate = "{mine}"\nnext_certificate = "{other}"', f'certificate = "{other}"'
    )  # fmt: skip
    publisher = Publisher.make(
        tiny_lab, NAME, tiny_lab.configuration, folder / "config", "next-module-key", rotated
    )
    publisher.environment["IMMUTABLE_BASE_MODULE_KEY"] = str(other.with_suffix(".key"))
    return publisher.night()


@pytest.mark.parametrize(
    ("enrolled_keys", "loads"),
    [(("", "-next"), True), (("",), False)],
    ids=["both-enrolled", "not-yet-enrolled"],
)
def test_the_image_after_a_rotation_needs_its_key_enrolled(
    tiny_lab, following, platform, tmp_path, enrolled_keys, loads
):
    keys = LabPaths(root=tiny_lab.state).module_keys
    plain, _ = prepared_machine(following.tonight, NAME, tmp_path)
    certificates = [keys / f"module-signing{which}.pem" for which in enrolled_keys]
    machine = trusting(plain, tmp_path / "firmware", platform, certificates)
    found = _answers(machine, tmp_path, (*STATE, LOADS))
    assert found["secure boot"].text.split()[-1] == "1"
    assert (found["ours"].status == 0) is loads, found["ours"].text
    assert loads or any(words in found["ours"].text for words in REFUSED), found["ours"].text
