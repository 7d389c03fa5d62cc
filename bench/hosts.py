"""Machines: a disk made of an image, a boot, the next image deployed, and what boots add to a run."""

from __future__ import annotations

import secrets
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import WORK, Row
from spending import Cost, spending

from immutable_base.boot import disk
from immutable_base.boot.boot_image import ARGUMENTS
from immutable_base.boot.machine import BootAttempt, boot
from immutable_base.boot.questions import ALWAYS
from immutable_base.documents import Documents
from immutable_base.image.program import MountedImage, mounted_image
from immutable_base.model.boot import BootReport
from immutable_base.process import run
from immutable_base.tools import buildah, bwrap, ostree
from immutable_base_lab.core.files import remove
from support.machines import ORIGIN, prepared_machine

FIRST, NEXT = "tiny", "tiny-metronome"
"""Two images of one run: the second one has a layer more."""
SECONDS = 900
"""For one boot."""


def remove_leftovers() -> None:
    """Remove what a measurement that was ended has left: ostree makes deployments immutable."""
    for folder in WORK.glob("*/sysroot"):
        disk.remove_sysroot(run, folder)


def host_rows(tonight: Path) -> list[Row]:
    """Measure with the images of a run; `tonight`: its documents and layouts."""
    return [
        *boot_rows(tonight, NEXT, aim="≤ 25 s"),
        *deployed_next(tonight / "oci").rows(f"`{NEXT}` deployed on a host that has `{FIRST}`"),
    ]


def boot_rows(tonight: Path, name: str, *, aim: str) -> list[Row]:
    """Measure a disk made of a variant's image, and a boot of it by itself."""
    folder = WORK / f"host-{name}"
    folder.mkdir()
    with spending() as made:
        machine, _ = prepared_machine(tonight, name, folder)
    accelerator = accelerator_of(tonight, name)
    attempt = BootAttempt(
        machine=replace(machine, accelerator=accelerator), asked=ALWAYS,
        nonce=secrets.token_hex(16), folder=folder, seconds=SECONDS,
    )  # fmt: skip
    with spending() as booted:
        twice = boot(run, attempt).again
    if twice:
        raise SystemExit(f"a boot was done twice, and would count twice: {twice}")
    return [
        *made.rows(f"a disk made of `{name}`"),
        *booted.rows(f"a boot of `{name}` with {accelerator.upper()}", aim),
    ]


def accelerator_of(tonight: Path, name: str) -> str:
    """Return what the boots of a run ran with: KVM, or TCG where KVM does not work."""
    (first, *_) = Documents(tonight).parse(BootReport, f"boot/{name}.json").boots
    return first.accelerator


def deployed_next(layouts: Path) -> Cost:
    """Install an image in a folder; return what it costs to deploy the next one beside it."""
    folder = WORK / "upgraded"
    storage = buildah.Storage(run, folder / "storage")
    sysroot = folder / "sysroot"
    try:
        with mounted_image(storage, buildah.pull_layout(storage, layouts / FIRST)) as image:
            origin = f"ostree-unverified-registry:{ORIGIN}"
            disk.install(image, layouts / FIRST, sysroot, origin=origin, arguments=ARGUMENTS)
            with spending() as cost:
                _deploy(image, layouts / NEXT, sysroot, origin)
    finally:
        disk.remove_sysroot(run, sysroot)
        remove(folder)
    return cost


def _deploy(image: MountedImage, layout: Path, sysroot: Path, origin: str) -> None:
    """Let the image's own programs deploy a layout, as `disk.install` does the first time."""
    policy = {sysroot.with_name("policy.json"): "/etc/containers/policy.json"}
    surroundings = bwrap.SharedFiles(
        readable={layout: disk.LAYOUT, **policy}, writable={sysroot: disk.SYSROOT}, network=False
    )
    command = ostree.deploy_command(
        disk.SYSROOT, source=f"ostree-unverified-image:oci:{disk.LAYOUT}",
        origin=origin, arguments=ARGUMENTS,
    )  # fmt: skip
    bwrap.run_in_root(image.run, image.root, command, surroundings=surroundings)


def boot_share_row(report: dict[str, Any], what: str, *, aim: str) -> Row:
    """Return the seconds of the stage boot in a run against all of it, from its run.json."""
    boots = sum(it["seconds"] for it in report["nodes"] if it["id"].startswith("boot:"))
    return Row(f"the boots in {what}, against all of it", boots, report["seconds"], aim, 0)
