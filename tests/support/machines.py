"""A machine with the image of a run on its disk, for tests that start it themselves."""

from __future__ import annotations

from pathlib import Path

from immutable_base import process
from immutable_base.boot.boot_image import BootRequest, prepare
from immutable_base.config.boot import BootSettings
from immutable_base.documents import Documents
from immutable_base.image.local import read_layout
from immutable_base.image.program import mounted_image
from immutable_base.model.build import ImageLayout
from immutable_base.model.facts import ImageFacts
from immutable_base.tools.buildah import Storage
from immutable_base.tools.qemu import Machine


def prepared_machine(tonight: Path, name: str, folder: Path) -> tuple[Machine, str]:
    """Install a variant's image on a disk in `folder`; return the machine and the image's digest.

    `tonight`: the documents and layouts of a run.
    """
    documents = Documents(tonight)
    layout = documents.parse(ImageLayout, f"oci/{name}.json")
    facts = documents.parse(ImageFacts, f"inspect/{name}.json")
    request = BootRequest(
        variant=documents.variant(name), facts=facts, layout=documents.folder / "oci" / name,
        digest=layout.digest, origin="registry.example/x:latest", folder=folder,
        settings=BootSettings(),
    )  # fmt: skip
    storage = Storage(process.run, folder / "storage")
    read_layout(storage, request.layout, digest=layout.digest, image_id=facts.image_id)
    with mounted_image(storage, facts.image_id) as image:
        return prepare(process.run, image, request, folder / "root.raw"), layout.digest
