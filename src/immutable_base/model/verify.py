"""verify --format json: what was proven about one image."""

from __future__ import annotations

from typing import Literal

from immutable_base.model.document import Frozen


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
    skipped: int
    """Signatures, attestations and other things beside the image that do not count."""
    by_key: int
    """Signatures by a key beside the image: for hosts, and not looked at here."""
