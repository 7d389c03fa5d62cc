"""What a verification proved."""

from __future__ import annotations

from pathlib import Path

from immutable_base.errors import printable
from immutable_base.model.verify import VerificationReport
from immutable_base.verification.verify_image import components_of, moment
from immutable_base.verify import NO_CT_LOG, VerifiedImage


def verification_report(
    verified: VerifiedImage, *, configuration: Path | None
) -> VerificationReport:
    """Return the document about a verified image."""
    signature = verified.proof.signature
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
        skipped=verified.proof.skipped,
    )


def verification_text(report: VerificationReport) -> str:
    """Return the document as a person reads it, one fact a line."""
    newest, *older = report.sbom_components
    lines = [
        f"verified  {report.image}",
        f"tag       {report.tag or '-'}",
        f"signer    {report.signer}",
        f"issuer    {report.issuer}",
        f"signed    {report.signed_at}, for {report.signed_for}",
        f"log       entry {'-' if report.rekor_log_index is None else report.rekor_log_index}",
        f"job       {report.claims.get('job_url', '-')}",
        f"SBOM      attested by the same signer, {newest} components",
        f"trust     {report.instance}, by {report.configuration or 'no configuration'}",
        f"          {_source(report)}",
        *(f"          {line}" for line in report.trusted),
    ]
    if older:
        lines.append(f"note      {len(older)} older SBOMs by the same signer are attested too")
    if report.skipped:
        lines.append(f"note      {report.skipped} items beside the image were skipped")
    if not report.sct_checked:
        lines.append(f"note      {NO_CT_LOG}")
    return "\n".join(map(printable, lines)) + "\n"


def _source(report: VerificationReport) -> str:
    """Return where the trust was read, and of what date it is."""
    return report.trust_source + (f", of {report.trust_dated}" if report.trust_dated else "")
