"""sbom/<variant>.json: which SBOM lists which image."""

from __future__ import annotations

from immutable_base.model.document import Count, Sha256, StageDocument, Text


class SbomRecord(StageDocument):
    """The document sbom/<variant>.json; the SBOM is sbom/<variant>.cdx.json beside it."""

    variant: Text
    image_id: Sha256
    sha256: Sha256
    """Of the CycloneDX file."""
    size: Count
    """Of the CycloneDX file, in bytes: what the transparency log has to take."""
    packages: Count
    """Of the image's rpm database; the SBOM has exactly these, and the kernel modules."""
