"""The full SBOM: all that syft says, and the kernel modules; the attested one names its SHA-256.

What the attested one leaves out of it, because all of that goes through a transparency log with a
limit: `make.DROPPED` and `compact`. Neither has the files of packages: the image's rpm database has
them, with their digests, and that is a part of the image.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from cyclonedx.model import ExternalReference, ExternalReferenceType, HashAlgorithm, HashType, XsUri

from immutable_base.model.sbom import SbomRecord, full_sbom_path
from immutable_base.workspace import file_digest


def reference_to(full: str) -> ExternalReference:
    """Return what names a full SBOM in the attested one.

    Source: CycloneDX 1.6, `externalReferences` of type `bom`, and BOM-Link.
    """
    number = json.loads(full)["serialNumber"].removeprefix("urn:uuid:")
    sha256 = hashlib.sha256(full.encode()).hexdigest()
    return ExternalReference(
        type=ExternalReferenceType.BOM,
        url=XsUri(f"urn:cdx:{number}/1"),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=sha256)],
    )


def record_of(
    document: Path, *, variant: str, image_id: str, packages: int, rests_on: dict[str, str]
) -> SbomRecord:
    """Return which image the SBOM that was written to `document`, and the full one, list."""
    full = full_sbom_path(document)
    return SbomRecord(
        rests_on=rests_on,
        variant=variant,
        image_id=image_id,
        sha256=file_digest(document),
        size=document.stat().st_size,
        full_sha256=file_digest(full),
        full_size=full.stat().st_size,
        packages=packages,
    )
