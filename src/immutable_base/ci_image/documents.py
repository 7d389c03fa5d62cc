"""The documents of the CI image, each resting on those before it down to what was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from immutable_base.document_folder import DocumentFolder
from immutable_base.errors import VerificationError
from immutable_base.model.check import CheckReport
from immutable_base.model.ci_image import CiImageBuild
from immutable_base.model.document import StageDocument
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord, full_sbom_path

NAME = "ci"
"""What the image is called in documents, and the last part of its repository."""
RESTING: Mapping[type[StageDocument], tuple[str, tuple[type[StageDocument], ...]]] = {
    CiImageBuild: ("build.json", ()),
    CheckReport: ("check.json", (CiImageBuild,)),
    SbomRecord: ("sbom.json", (CiImageBuild,)),
    Publication: ("publish.json", (CiImageBuild, CheckReport, SbomRecord)),
}
"""The name of each document, and what it rests on."""
SBOM_FILE = "sbom.cdx.json"

AnyStage = TypeVar("AnyStage", bound=StageDocument)


@dataclass(frozen=True, slots=True)
class CiImageDocuments(DocumentFolder):
    """The documents of the CI image; raises as `DocumentFolder`."""

    def command_of(self, name: str) -> str:
        """Return the command that makes a document."""
        return f"immutable-base ci-image {name.partition('.')[0]}"

    def read(self, kind: type[AnyStage]) -> AnyStage:
        """Return a document; it and all below it are of the image that was built."""
        name, needs = RESTING[kind]
        for other in needs:
            self.read(other)
        found = self.resting_on(kind, name, [RESTING[other][0] for other in needs])
        image, built = getattr(found, "image_id", None), self.parse(CiImageBuild, "build.json")
        if image not in {None, built.image_id}:
            raise VerificationError(
                f"{self.folder / name} is about the image {image}, but {built.image_id} was built",
                hint=f"make it again: `{self.command_of(name)}`",
            )
        return found

    def rests_on(self, kind: type[StageDocument]) -> dict[str, str]:
        """Return the SHA-256 of everything that a new document rests on."""
        return self.digests(RESTING[other][0] for other in RESTING[kind][1])

    def save(self, document: StageDocument) -> Path:
        """Write a stage's document."""
        return self.write(RESTING[type(document)][0], document)

    @property
    def layout(self) -> Path:
        """Where the OCI layout of the image is."""
        return self.folder / "oci"

    @property
    def sbom(self) -> Path:
        """Where the image's SBOM is."""
        return self.folder / SBOM_FILE

    @property
    def provenance(self) -> Path:
        """Where the provenance is written down that is attested to the image."""
        return self.folder / "provenance.json"

    def attested(self) -> Path:
        """Return the image's SBOM, whose bytes are those that were written about it.

        So are those of the full one beside it.
        """
        record = self.read(SbomRecord)
        self.require_digest(self.sbom, record.sha256)
        self.require_digest(full_sbom_path(self.sbom), record.full_sha256)
        return self.sbom
