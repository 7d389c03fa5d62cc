"""The SBOM of the CI image: Debian's packages, Python's, and the two programs that we build."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from packageurl import PackageURL

from immutable_base.ci_image.build import CiImage
from immutable_base.ci_image.documents import NAME
from immutable_base.image.program import mounted_image
from immutable_base.model.ci_image import CiImageBuild
from immutable_base.model.sbom import SbomRecord
from immutable_base.sbom.full import record_of
from immutable_base.sbom.make import (
    SbomRequest,
    compare,
    container_component,
    read_bom,
    write_both,
)
from immutable_base.sbom.subject import BASE, IMAGE_ID
from immutable_base.tools import syft
from immutable_base.tools.pins import load_pins

ASK_PACKAGES = ("dpkg-query", "--show", "--showformat=${db:Status-Status} ${Package} ${Version}\n")
DEBIAN = "deb"


def make_ci_image_sbom(at: CiImage, image_id: str) -> SbomRecord:
    """Write the SBOM of a local image, and which image it lists.

    Raises CheckError if it lacks a package that dpkg has installed or has one too many,
    CommandError if syft fails.
    """
    documents, storage = at.documents, at.context.storage
    built = documents.read(CiImageBuild)
    with (
        mounted_image(storage, image_id) as image,
        tempfile.TemporaryDirectory(dir=documents.folder, prefix=".syft-") as folder,
    ):
        raw = Path(folder) / "syft.json"
        syft.scan_system(at.context.run, image.root, raw)
        listed = raw.read_bytes()
        installed = [*_installed(image.read(*ASK_PACKAGES))]
    compare(_debian(read_bom(listed)), installed)
    said = {BASE: built.base, "immutable-base:commit": built.commit, IMAGE_ID: image_id}
    request = SbomRequest(
        image=container_component(built.repository, said, epoch=built.epoch),
        epoch=built.epoch,
        modules=tuple(_programs()),
        signing=at.context.settings.signing,
    )
    write_both(listed, request, documents.sbom)
    record = record_of(
        documents.sbom,
        variant=NAME,
        image_id=image_id,
        packages=len(installed),
        rests_on=documents.rests_on(SbomRecord),
    )
    documents.save(record)
    return record


def _installed(text: str) -> Iterable[str]:
    """Yield `name version` of each installed package. Source: dpkg-query(1)."""
    for line in text.splitlines():
        status, _, package = line.partition(" ")
        if status == "installed":
            yield package


def _debian(bom: Bom) -> Iterable[str]:
    for component in bom.components:
        if component.purl is not None and component.purl.type == DEBIAN:
            yield f"{component.name} {component.version}"


def _programs() -> Iterable[Component]:
    """Yield what `immutable-base tools` has built; its go.sum is in the module's sum."""
    for pin in load_pins().values():
        purl = PackageURL("golang", *pin.module.rpartition("/")[::2], pin.version)
        yield Component(
            type=ComponentType.APPLICATION, name=pin.name, version=pin.number, purl=purl,
            bom_ref=str(purl),
        )  # fmt: skip
