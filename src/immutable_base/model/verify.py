"""verify --format json: what was proven about one image."""

from __future__ import annotations

from typing import Literal

from immutable_base.model.document import Frozen


class VerifiedMaterial(Frozen):
    """Something that went into an image, by its provenance."""

    name: str
    uri: str
    digest: dict[str, str]
    """By algorithm; empty for what has none, such as a program's version."""


class VerifiedProvenance(Frozen):
    """How an image was built, by the newest provenance that holds."""

    build_type: str
    """URI of what is built in this way; docs/reference/provenance.md."""
    builder: str
    """The identity that states it, and that has signed it."""
    invocation: str
    """URL of the job that states it; empty if it does not say."""
    finished: str
    """When it was stated, by the job's clock (RFC 3339, UTC); empty if it does not say."""
    attested_at: str
    """By the transparency log (RFC 3339, UTC)."""
    rekor_log_index: int
    parameters: dict[str, str | tuple[str, ...]]
    """What was asked of the build from outside."""
    base: str
    """Digest of the base image: the one that SBOM and configuration name."""
    materials: tuple[VerifiedMaterial, ...]
    byproducts: dict[str, str]
    """SHA-256 of the documents of the build, by their names."""


class VerifiedFullSbom(Frozen):
    """The full SBOM, which is what the attested one names."""

    sha256: str
    referrer: str
    """Digest of the artifact beside the image that holds it; empty if it is hidden by too many
    others."""
    components: int


class VerificationReport(Frozen):
    """The document that `verify --format json` prints."""

    schema_version: Literal[1] = 1
    image: str
    """`repository@sha256:...`"""
    tag: str | None
    """The tag that named the digest when it was asked for; null if it was asked for by digest."""
    configuration: str | None
    """The file that named whom to trust; null: none, so the public instance."""
    instance: str
    """The Sigstore instance: URL of its Fulcio."""
    trust_source: str
    """Where the trust was read: this version, an update, or files of the configuration."""
    trust_dated: str | None
    """The latest moment that the trust itself names (RFC 3339, UTC); null for single files."""
    trusted: tuple[str, ...]
    """SHA-256 of every root certificate and log key that was trusted."""
    signer: str
    """Identity in the certificate of signature and attestation."""
    issuer: str
    """OIDC issuer in the same certificates."""
    signed_for: str
    """Repository that the signed text names."""
    signed_at: str
    """Time of the newest signature by the transparency log (RFC 3339, UTC)."""
    rekor_log_index: int | None
    """Entry of the newest signature in the transparency log."""
    claims: dict[str, str]
    """What the certificate says about the job: project, ref, commit, trigger, runner, URL."""
    sct_checked: bool
    """False: this Sigstore instance has no CT log, so there is no timestamp of one to check."""
    sbom_components: tuple[int, ...]
    """Components of each attested SBOM, the newest first; at least one SBOM."""
    full_sbom: VerifiedFullSbom
    provenance: VerifiedProvenance
    skipped: int
    """Signatures, attestations and other things beside the image that do not count."""
    by_key: int
    """Signatures by a key beside the image: for hosts, and not looked at here."""
