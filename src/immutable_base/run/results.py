"""What a variant's stages have produced, read from their documents."""

from __future__ import annotations

from typing import TypeVar

from immutable_base.documents import Documents
from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.model.boot import BootReport
from immutable_base.model.build import ImageLayout
from immutable_base.model.document import StageDocument
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import VariantPlan
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord
from immutable_base.run.outcomes import StageResults
from immutable_base.run.previous import difference_of

AnyStage = TypeVar("AnyStage", bound=StageDocument)


def stage_results(documents: Documents, variant: VariantPlan) -> StageResults:
    """Return what can be relied on; a document that is missing or was changed counts as none."""
    facts = _read(documents, ImageFacts, variant)
    layout = _read(documents, ImageLayout, variant)
    sbom = _read(documents, SbomRecord, variant)
    differs = difference_of(documents, variant)
    return StageResults(
        packages=len(facts.packages) if facts else 0,
        size=layout.size if layout else 0,
        sbom_size=sbom.size if sbom else 0,
        boot=_read(documents, BootReport, variant),
        publication=_read(documents, Publication, variant),
        difference=str(differs) if differs.is_file() else None,
    )


def _read(documents: Documents, kind: type[AnyStage], variant: VariantPlan) -> AnyStage | None:
    try:
        return documents.read(kind, variant)
    except (ConfigurationError, VerificationError):
        return None
