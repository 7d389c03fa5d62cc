"""What a verification proved, as a document."""

from __future__ import annotations

from pathlib import Path

from immutable_base.model.verify import (
    VerificationReport,
    VerifiedFullSbom,
    VerifiedMaterial,
    VerifiedProvenance,
)
from immutable_base.verification.complete.provenance import Provenance
from immutable_base.verification.verify_image import components_of, moment
from immutable_base.verify import VerifiedImage


def verification_report(
    verified: VerifiedImage, *, configuration: Path | None
) -> VerificationReport:
    """Return the document about a verified image."""
    signature, full = verified.proof.signature, verified.complete.full_sbom
    return VerificationReport(
        image=verified.pinned,
        tag=verified.tag,
        configuration=str(configuration) if configuration else None,
        instance=verified.roots.instance,
        trust_source=verified.roots.source,
        trust_dated=None if verified.roots.dated is None else moment(verified.roots.dated),
        trusted=verified.roots.fingerprints,
        signer=verified.signer.identity,
        issuer=verified.signer.issuer,
        signed_for=signature.signed_for,
        signed_at=moment(signature.signed_at),
        rekor_log_index=verified.log_index,
        claims=signature.claims,
        sct_checked=verified.sct_checked,
        sbom_components=tuple(components_of(item.document) for item in verified.proof.sboms),
        full_sbom=VerifiedFullSbom(
            sha256=full.sha256,
            referrer=full.referrer,
            components=components_of(full.document),
        ),
        provenance=_provenance(verified.provenance),
        skipped=verified.skipped,
        by_key=verified.proof.by_key,
    )


def _provenance(found: Provenance) -> VerifiedProvenance:
    return VerifiedProvenance(
        build_type=found.build_type,
        builder=found.builder,
        invocation=found.invocation,
        finished=found.finished,
        attested_at=moment(found.signed_at),
        rekor_log_index=found.log_index,
        parameters={
            name: value if isinstance(value, str) else tuple(value)
            for name, value in found.parameters.items()
        },
        base=found.base,
        materials=tuple(
            VerifiedMaterial(name=name, uri=it.uri, digest=dict(it.digest))
            for name, it in found.dependencies.items()
        ),
        byproducts=dict(found.byproducts),
    )
