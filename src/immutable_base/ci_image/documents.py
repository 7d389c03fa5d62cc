"""The documents of the CI image, each resting on those before it down to what was built."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from immutable_base.image_documents import ImageDocuments, Resting
from immutable_base.model.check import CheckReport
from immutable_base.model.ci_image import CiImageBuild
from immutable_base.model.document import StageDocument
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord

NAME = "ci"
"""What the image is called in documents, and the last part of its repository."""


@dataclass(frozen=True, slots=True)
class CiImageDocuments(ImageDocuments):
    """The documents of the CI image; raises as `DocumentFolder`."""

    resting: ClassVar[Resting] = {
        CiImageBuild: ("build.json", ()),
        CheckReport: ("check.json", (CiImageBuild,)),
        SbomRecord: ("sbom.json", (CiImageBuild,)),
        Publication: ("publish.json", (CiImageBuild, CheckReport, SbomRecord)),
    }
    built: ClassVar[type[StageDocument]] = CiImageBuild

    def about(self) -> str:
        """Return the name of the only image that there is."""
        return NAME

    def command_of(self, name: str) -> str:
        """Return the command that makes a document."""
        return f"immutable-base ci-image {name.partition('.')[0]}"
