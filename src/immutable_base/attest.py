"""The SBOM as a signed statement about the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

from immutable_base.sign import sigstore_of
from immutable_base.tools import cosign

if TYPE_CHECKING:
    from pathlib import Path

    from immutable_base.context import Context


def attest_sbom(context: Context, pinned: str, sbom: Path, token: str) -> None:
    """Attach the SBOM to `repository@sha256:...`; raises as `cosign.attest` does."""
    cosign.attest(context.run, pinned, sbom, sigstore_of(context), token)
