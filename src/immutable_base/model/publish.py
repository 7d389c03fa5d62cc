"""publish/<variant>.json: what was pushed, who signed it, and where the tags point."""

from __future__ import annotations

from enum import StrEnum

from immutable_base.model.document import Count, Digest, Frozen, Sha256, StageDocument, Text


class PublicationStatus(StrEnum):
    """How publishing ended; a failure is an error, not a status."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    """The digest was signed, attested and tagged before: nothing was written."""
    RENEWED = "renewed"
    """As `unchanged`, but signed once more: its signature had become old."""


class Tag(Frozen):
    """A tag, with the digest that it named before and names now."""

    name: str
    before: Digest | None
    """Digest; null if there was no such tag."""
    digest: Digest
    """As read back from the registry."""


class StepTime(Frozen):
    """How long one step took."""

    step: str
    seconds: float


class Publication(StageDocument):
    """The document publish/<variant>.json: one published variant."""

    variant: Text
    status: PublicationStatus
    repository: Text
    digest: Digest
    tags: tuple[Tag, ...]
    signer: Text
    """Identity in the certificate, as verified."""
    issuer: Text
    """OIDC issuer in the certificate, as verified."""
    rekor_log_index: Count | None
    """Entry of the signature in the transparency log."""
    sbom_sha256: Sha256
    """Of the attested CycloneDX file."""
    full_sbom_sha256: Sha256
    """Of the full CycloneDX file, which lies beside the image in the registry."""
    provenance_log_index: Count
    """Entry of the provenance in the transparency log."""
    notes: tuple[str, ...]
    """What the verification could not cover, one sentence each."""
    steps: tuple[StepTime, ...]
    seconds: float
