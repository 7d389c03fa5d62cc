"""The documents of one instance, each resting on those before it down to the decision."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from immutable_base.image_documents import SBOM_FILE, ImageDocuments, Resting
from immutable_base.model.check import CheckReport
from immutable_base.model.document import StageDocument
from immutable_base.model.instance import InstanceBuild, InstanceDecision, InstanceFacts
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord

DECISION, BUILD, INSPECT = "decision.json", "build.json", "inspect.json"
CHECK, SBOM, PUBLISH = "check.json", "sbom.json", "publish.json"
REPORT, FAILED = "report.json", "failed.json"
PUBLISHED_SBOM = "published.cdx.json"
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


@dataclass(frozen=True, slots=True)
class InstanceDocuments(ImageDocuments):
    """The documents of one instance; raises as `DocumentFolder`."""

    resting: ClassVar[Resting] = {
        InstanceDecision: (DECISION, ()),
        InstanceBuild: (BUILD, (InstanceDecision,)),
        InstanceFacts: (INSPECT, (InstanceDecision, InstanceBuild)),
        CheckReport: (CHECK, (InstanceDecision, InstanceBuild, InstanceFacts)),
        SbomRecord: (SBOM, (InstanceDecision, InstanceBuild, InstanceFacts)),
        Publication: (PUBLISH, (InstanceDecision, InstanceBuild, CheckReport, SbomRecord)),
    }
    built: ClassVar[type[StageDocument]] = InstanceBuild

    def command_of(self, name: str) -> str:
        """Return the command that makes a document."""
        return f"immutable-base instance {COMMANDS.get(name, 'report')}"

    def about(self) -> str:
        """Return the instance's name, as the decision has it."""
        return self.decision().name

    def decision(self) -> InstanceDecision:
        """Return the decision, on which everything rests."""
        return self.parse(InstanceDecision, DECISION)

    @property
    def published_sbom(self) -> Path:
        """Where the SBOM of the published image is."""
        return self.folder / PUBLISHED_SBOM
