"""publish/<variant>.json: what was pushed, who signed it, and where the tags point."""

from __future__ import annotations

from enum import StrEnum

from immutable_base.model.document import Frozen, StageDocument


class PublicationStatus(StrEnum):
    """How publishing ended; a failure is an error, not a status."""

    PUBLISHED = "published"
    UNCHANGED = "unchanged"
    """The digest was signed, attested and tagged before: nothing was written."""


class Tag(Frozen):
    """A tag, with the digest that it named before and names now."""

    name: str
    before: str | None
    """Digest; null if there was no such tag."""
    digest: str
    """As read back from the registry."""


class StepTime(Frozen):
    """How long one step took."""

    step: str
    seconds: float


class Publication(StageDocument):
    """The document publish/<variant>.json: one published variant."""

    variant: str
    status: PublicationStatus
    repository: str
    digest: str
    tags: tuple[Tag, ...]
    signer: str
    """Identity in the certificate, as verified."""
    issuer: str
    """OIDC issuer in the certificate, as verified."""
    rekor_log_index: int | None
    """Entry of the signature in the transparency log."""
    sbom_sha256: str
    """Of the attested CycloneDX file."""
    notes: tuple[str, ...]
    """What the verification could not cover, one sentence each."""
    steps: tuple[StepTime, ...]
    seconds: float
