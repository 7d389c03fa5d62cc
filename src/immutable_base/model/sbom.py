"""sbom/<variant>.json: which SBOM lists which image."""

from __future__ import annotations

from immutable_base.model.document import StageDocument


class SbomRecord(StageDocument):
    """The document sbom/<variant>.json; the SBOM is sbom/<variant>.cdx.json beside it."""

    variant: str
    image_id: str
    sha256: str
    """Of the CycloneDX file."""
    size: int
    """Of the CycloneDX file, in bytes: what the transparency log has to take."""
    packages: int
    """Of the image's rpm database; the SBOM has exactly these, and the kernel modules."""
