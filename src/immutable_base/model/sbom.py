"""sbom/<variant>.json: which SBOM lists which image."""

from __future__ import annotations

from pathlib import Path

from immutable_base.model.document import Count, Sha256, StageDocument, Text

SUFFIX = ".cdx.json"


def full_sbom_path(document: Path) -> Path:
    """Return where the full SBOM is that belongs to an attested one."""
    return document.with_name(f"{document.name.removesuffix(SUFFIX)}.full{SUFFIX}")


class SbomRecord(StageDocument):
    """The document sbom/<variant>.json.

    The SBOM is sbom/<variant>.cdx.json beside it, the full one sbom/<variant>.full.cdx.json.
    """

    variant: Text
    image_id: Sha256
    sha256: Sha256
    """Of the CycloneDX file that is attested; it names the full one by its SHA-256."""
    size: Count
    """Of the CycloneDX file, in bytes: what the transparency log has to take."""
    full_sha256: Sha256
    """Of the full CycloneDX file, which lies beside the image in the registry."""
    full_size: Count
    """Of the full CycloneDX file, in bytes."""
    packages: Count
    """Of the image's rpm database; the SBOM has exactly these, and the kernel modules."""
