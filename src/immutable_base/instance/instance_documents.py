"""The documents of one instance, each resting on those before it down to the decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from immutable_base.document_folder import DocumentFolder
from immutable_base.errors import VerificationError
from immutable_base.model.check import CheckReport
from immutable_base.model.document import StageDocument
from immutable_base.model.instance import InstanceBuild, InstanceDecision, InstanceFacts
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord, full_sbom_path

DECISION, BUILD, INSPECT = "decision.json", "build.json", "inspect.json"
CHECK, SBOM, PUBLISH = "check.json", "sbom.json", "publish.json"
REPORT, FAILED = "report.json", "failed.json"
PROVENANCE = "provenance.json"
LAYOUT, SBOM_FILE, PUBLISHED_SBOM = "oci", "sbom.cdx.json", "published.cdx.json"
"""The OCI layout, the SBOM of the image that was built, and that of the published one."""
RESTING: Mapping[type[StageDocument], tuple[str, tuple[type[StageDocument], ...]]] = {
    InstanceDecision: (DECISION, ()),
    InstanceBuild: (BUILD, (InstanceDecision,)),
    InstanceFacts: (INSPECT, (InstanceDecision, InstanceBuild)),
    CheckReport: (CHECK, (InstanceDecision, InstanceBuild, InstanceFacts)),
    SbomRecord: (SBOM, (InstanceDecision, InstanceBuild, InstanceFacts)),
    Publication: (PUBLISH, (InstanceDecision, InstanceBuild, CheckReport, SbomRecord)),
}
"""The name of each document, and what it rests on."""
COMMANDS = {
    DECISION: "detect-changes",
    PUBLISHED_SBOM: "detect-changes",
    BUILD: "build",
    INSPECT: "check",
    CHECK: "check",
    SBOM: "sbom",
    SBOM_FILE: "sbom",
    PUBLISH: "publish",
}

AnyStage = TypeVar("AnyStage", bound=StageDocument)


@dataclass(frozen=True, slots=True)
class InstanceDocuments(DocumentFolder):
    """The documents of one instance; raises as `DocumentFolder`."""

    def command_of(self, name: str) -> str:
        """Return the command that makes a document."""
        return f"immutable-base instance {COMMANDS.get(name, 'report')}"

    def decision(self) -> InstanceDecision:
        """Return the decision, on which everything rests."""
        return self.parse(InstanceDecision, DECISION)

    def read(self, kind: type[AnyStage]) -> AnyStage:
        """Return a document, and require that it and all below it are of one instance and image."""
        name, needs = RESTING[kind]
        for other in needs:
            self.read(other)
        found = self.resting_on(kind, name, [RESTING[other][0] for other in needs])
        decision = self.decision()
        about = getattr(found, "variant", decision.name)
        if about != decision.name:
            raise VerificationError(
                f"{self.folder / name} is about '{about}', not '{decision.name}'"
            )
        image = getattr(found, "image_id", None)
        if image is not None and kind is not InstanceBuild:
            built = self.parse(InstanceBuild, BUILD).image_id
            if image != built:
                raise VerificationError(
                    f"{self.folder / name} is about the image {image}, but {built} was built",
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
        return self.folder / LAYOUT

    @property
    def sbom(self) -> Path:
        """Where the image's SBOM is."""
        return self.folder / SBOM_FILE

    @property
    def published_sbom(self) -> Path:
        """Where the SBOM of the published image is."""
        return self.folder / PUBLISHED_SBOM

    @property
    def provenance(self) -> Path:
        """Where the provenance is written down that is attested to the image."""
        return self.folder / PROVENANCE

    def attested(self) -> Path:
        """Return the image's SBOM, whose bytes are those that were written about it.

        So are those of the full one beside it.
        """
        record = self.read(SbomRecord)
        self.require_digest(self.sbom, record.sha256)
        self.require_digest(full_sbom_path(self.sbom), record.full_sha256)
        return self.sbom
