"""The documents of one image, each resting on those before it down to what was built."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, TypeVar

from immutable_base.document_folder import DocumentFolder
from immutable_base.errors import VerificationError
from immutable_base.model.document import StageDocument
from immutable_base.model.sbom import SbomRecord

LAYOUT, SBOM_FILE = "oci", "sbom.cdx.json"
Resting = Mapping[type[StageDocument], tuple[str, tuple[type[StageDocument], ...]]]
"""The name of each document, and what it rests on."""

AnyStage = TypeVar("AnyStage", bound=StageDocument)


@dataclass(frozen=True, slots=True)
class ImageDocuments(DocumentFolder):
    """The documents of one image in a folder of their own; raises as `DocumentFolder`."""

    resting: ClassVar[Resting]
    built: ClassVar[type[StageDocument]]
    """The document that says which image was built."""

    def about(self) -> str:
        """Return what the image is called in documents."""
        raise NotImplementedError

    def read(self, kind: type[AnyStage]) -> AnyStage:
        """Return a document; it and all below it are of one name, and of the built image."""
        name, needs = self.resting[kind]
        for other in needs:
            self.read(other)
        found = self.resting_on(kind, name, [self.resting[other][0] for other in needs])
        variant, image = (getattr(found, key, None) for key in ("variant", "image_id"))
        if variant is not None and variant != self.about():
            raise VerificationError(
                f"{self.folder / name} is about '{variant}', not '{self.about()}'"
            )
        if image is not None:
            self._require_built(name, image)
        return found

    def _require_built(self, name: str, image: str) -> None:
        built = getattr(self.parse(self.built, self.resting[self.built][0]), "image_id", None)
        if image != built:
            raise VerificationError(
                f"{self.folder / name} is about the image {image}, but {built} was built",
                hint=f"make it again: `{self.command_of(name)}`",
            )

    def rests_on(self, kind: type[StageDocument]) -> dict[str, str]:
        """Return the SHA-256 of everything that a new document rests on."""
        return self.digests(self.resting[other][0] for other in self.resting[kind][1])

    def save(self, document: StageDocument) -> Path:
        """Write a stage's document."""
        return self.write(self.resting[type(document)][0], document)

    @property
    def layout(self) -> Path:
        """Where the OCI layout of the image is."""
        return self.folder / LAYOUT

    @property
    def sbom(self) -> Path:
        """Where the image's SBOM is."""
        return self.folder / SBOM_FILE

    def attested(self) -> Path:
        """Return the image's SBOM, whose bytes are those that were written about it."""
        self.require_digest(self.sbom, self.read(SbomRecord).sha256)
        return self.sbom
