"""verify --format json: what was proven about one image."""

from __future__ import annotations

from typing import Literal

from immutable_base.model.document import Frozen


class VerificationReport(Frozen):
    """The document that `verify --format json` prints."""

    schema_version: Literal[1] = 1
    image: str
    """`repository@sha256:...`"""
    signer: str
    """Identity in the certificate of signature and attestation."""
    issuer: str
    """OIDC issuer in the same certificates."""
    rekor_log_index: int | None
    """Entry of the newest signature in the transparency log."""
    sct_checked: bool
    """False: this Sigstore instance has no CT log, so there is no timestamp of one to check."""
    sbom_components: tuple[int, ...]
    """Components of each attested SBOM; at least one SBOM."""
