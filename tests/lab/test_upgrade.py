"""A host of the night before: installed, upgraded through the registry as hosts are, rolled back.

The machine keeps its disk over three boots. bootc's own container stack does the upgrade, inside the
machine, from the lab's registry.
"""

from __future__ import annotations

import base64
import json
import re
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from immutable_base import process
from immutable_base.boot import disk
from immutable_base.boot.machine import BootAttempt, boot_anyhow
from immutable_base.boot.questions import ALWAYS, GuestQuestion
from support.machines import prepared_machine

pytestmark = pytest.mark.long

NAME = "tiny-metronome"
NONCE = "5e" * 16
BY_NAME = {question.name: question for question in ALWAYS}
LOOKS = (BY_NAME["state"], BY_NAME["kernel"], BY_NAME["image"])
LEAVE = GuestQuestion(
    name="leave", script="echo mine > /etc/of-the-host && echo kept > /var/of-the-host && sync"
)
FIND = GuestQuestion(name="find", script="cat /etc/of-the-host /var/of-the-host")
CONTAINER = "/usr/libexec/libostree/ext/ostree-container container"
ROOT = "--sysroot=/ --stateroot=default"
PROXY = "/usr/lib/systemd/systemd-socket-proxyd"
SLIRP = "10.0.2.2"
"""The host of QEMU's user network: its loopback."""


def upgrade(registry: str, reference: str, authority: bytes) -> GuestQuestion:
    """Ask for an upgrade. The registry is on this machine's loopback, and so it seems in the guest."""
    port, encoded = registry.rpartition(":")[2], base64.b64encode(authority).decode()
    steps = (
        f"mkdir -p /etc/containers/certs.d/{registry}",
        f"echo {encoded} | base64 -d > /etc/containers/certs.d/{registry}/ca.crt",
        f"systemd-run --quiet --socket-property=ListenStream=127.0.0.1:{port} {PROXY} {SLIRP}:{port}",
        f"{CONTAINER} image deploy {ROOT} --imgref=ostree-unverified-registry:{reference}",
        "ostree admin status",
    )
    return GuestQuestion(name="upgrade", script=" && ".join(steps))


@dataclass
class Host:
    """A machine whose disk outlives its boots."""

    machine: object
    folder: Path

    def boot(self, *asked, entry=None):
        """Start it, with an entry of the boot loader's if one is given; return the answers."""
        machine = self.machine
        if entry is not None:
            boot_folder = self.folder / "boot-files/boot"
            kernel = replace(
                machine.kernel,
                image=boot_folder / entry.kernel.lstrip("/"),
                initramfs=boot_folder / entry.initramfs.lstrip("/"),
                arguments=entry.arguments,
            )
            machine = replace(machine, kernel=kernel)
        attempt = BootAttempt(
            machine=machine, asked=asked, nonce=NONCE, folder=self.folder, seconds=900
        )
        result, _ = boot_anyhow(process.run, attempt)
        self.machine = replace(self.machine, accelerator=result.accelerator)
        return {it.question: it for it in result.answers}

    def entries(self):
        """Return what its boot loader offers."""
        return disk.read_boot(process.run, self.machine.disks[0].path, self.folder / "boot-files")


@pytest.fixture
def host(tiny_night, tmp_path):
    """A host with the image that was published, as it was when it was installed."""
    machine, digest = prepared_machine(tiny_night.workspace / "tonight", NAME, tmp_path)
    return Host(machine, tmp_path), digest


def test_an_upgrade_keeps_what_is_the_hosts_and_a_rollback_brings_the_old_image_back(
    tiny_lab, host, published_next
):
    machine, before = host
    reference, after = published_next
    registry = re.match("[^/]*", reference)[0]
    authority = (tiny_lab.state / "trust/ca.pem").read_bytes()
    first = machine.boot(*LOOKS, LEAVE, upgrade(registry, reference, authority))
    assert before in first["image"].text
    assert (first["leave"].status, first["upgrade"].status) == (0, 0), first["upgrade"].text
    new, old = machine.entries()
    second = machine.boot(*LOOKS, FIND, entry=new)
    assert after in second["image"].text
    assert second["find"].text == "mine\nkept"
    assert second["state"].text == "running"
    third = machine.boot(*LOOKS, FIND, entry=old)
    assert before in third["image"].text
    assert third["find"].text == "mine\nkept"


@pytest.fixture
def published_next(tiny_lab, tmp_path_factory):
    """The image of a later night, published where no other test looks."""
    text = tiny_lab.configuration.read_text()
    destination = re.search('destination = "(.*)"', text)[1]
    configuration = tiny_lab.config_with(
        tmp_path_factory.mktemp("next"),
        ("compiles in seconds", "compiles in a few seconds"),
        (destination, f"{destination}/next"),
    )
    done = tiny_lab.product(
        "run", "--variant", NAME, "--format", "json",
        env={"IMMUTABLE_BASE_CONFIG": str(configuration)}, workspace=tiny_lab.scratch / "next-night",
    )  # fmt: skip
    (variant,) = json.loads(done.stdout)["variants"]
    assert variant["outcome"] == "published", variant["error"]
    repository, _, digest = variant["reference"].partition("@")
    return f"{repository}:latest", digest
