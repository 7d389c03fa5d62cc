"""Is all there that a publication has: a provenance, and the full SBOM that the slim one names?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from immutable_base.verification.attestation import PROVENANCE
from immutable_base.verification.complete.full_sbom import (
    FullSbom,
    find_full_sbom,
    require_named,
)
from immutable_base.verification.complete.provenance import (
    KnownOfImage,
    Provenance,
    read_provenance,
)
from immutable_base.verification.complete.referrers import ReferrersReader
from immutable_base.verification.image import ImageWords
from immutable_base.verification.strict import Object
from immutable_base.verification.verify_image import Verified

BASE = "immutable-base:base"
"""Property of an SBOM's own component: the base image, pinned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CompleteProof:
    """What was proven of an image beyond signature and SBOM."""

    provenances: tuple[Provenance, ...]
    """Those that hold, the newest first; at least one."""
    full_sbom: FullSbom
    """That which the newest SBOM names."""
    skipped: int
    """Provenances that do not count."""


def prove_complete(reader: ReferrersReader, pinned: str, verified: Verified) -> CompleteProof:
    """Verify the provenance and the full SBOM of an image whose signature and SBOM were verified.

    Raises NotSignedError, OtherSignerError, BrokenProofError as for an SBOM, FullSbomError in the
    kind that says what is wrong; `reader` raises RemoteError if nothing can be known.
    """
    sbom = verified.sboms[0].document
    known = KnownOfImage(
        bases=_bases_of(verified.image, sbom), full_sbom=require_named(pinned, sbom)
    )
    before = len(verified.attested.rejected)
    provenances = verified.attested.each(
        "provenance", PROVENANCE, lambda statement: read_provenance(statement, known)
    )
    return CompleteProof(
        provenances=provenances,
        full_sbom=find_full_sbom(reader, pinned, sbom),
        skipped=len(verified.attested.rejected) - before,
    )


def _bases_of(image: ImageWords, sbom: Object) -> frozenset[str]:
    """Return the digests of the base image that an image and its SBOM name.

    Where the SBOM names a base without its digest, all that it says stands for one.
    """
    named = {image.base} - {""}
    for item in _properties(sbom):
        if isinstance(item, dict) and item.get("name") == BASE:
            said = str(item.get("value"))
            named.add(said.partition("@")[2] or said)
    return frozenset(named)


def _properties(sbom: Object) -> Sequence[object]:
    """Return the properties of an SBOM's own component; none if it has another form."""
    found: object = sbom
    for name in ("metadata", "component", "properties"):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, list) else ()
