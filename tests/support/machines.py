"""A machine with the image of a run on its disk, for tests that start it themselves.

Installed as the lab's own hosts are.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from immutable_base.boot.boot_image import make_pool_disk
from immutable_base.boot.machine import choose_accelerator
from immutable_base.config.boot import BootSettings
from immutable_base.documents import Documents
from immutable_base.model.build import ImageLayout
from immutable_base.tools.qemu import Machine
from immutable_base_lab.hosts.create import install
from immutable_base_lab.hosts.folder import HostFolder, HostRecord
from immutable_base_lab.hosts.power import machine_of

ORIGIN = "registry.example/x:latest"


def prepared_machine(tonight: Path, name: str, folder: Path) -> tuple[Machine, str]:
    """Install a variant's image on a disk in `folder`; return the machine and the image's digest.

    `tonight`: the documents and layouts of a run.
    """
    documents = Documents(tonight)
    digest = documents.parse(ImageLayout, f"oci/{name}.json").digest
    kernel = install(documents.folder / "oci" / name, folder, origin=ORIGIN)
    usual = BootSettings()
    record = HostRecord(
        image=ORIGIN, digest=digest, memory_mib=usual.memory_mib, cores=usual.cores,
        accelerator=choose_accelerator(),
    )  # fmt: skip
    return machine_of(HostFolder(path=folder), record, kernel), digest


def with_pool_disk(machine: Machine, folder: Path) -> Machine:
    """Return the machine with an empty disk, `POOL_DISK`, that outlives its boots."""
    return replace(machine, disks=(*machine.disks, make_pool_disk(folder)))
