"""What a verification proved."""

from __future__ import annotations

from immutable_base.model.verify import VerificationReport
from immutable_base.verify import NO_CT_LOG, VerifiedImage


def verification_report(verified: VerifiedImage) -> VerificationReport:
    """Return the document about a verified image."""
    return VerificationReport(
        image=verified.pinned,
        signer=verified.signer.identity,
        issuer=verified.signer.issuer,
        rekor_log_index=verified.log_index,
        sct_checked=verified.sct_checked,
        sbom_components=tuple(len(sbom.get("components", ())) for sbom in verified.sboms),
    )


def verification_text(report: VerificationReport) -> str:
    """Return the document as a person reads it, one fact a line."""
    counts = ", ".join(map(str, report.sbom_components))
    lines = [
        f"verified  {report.image}",
        f"signer    {report.signer}",
        f"issuer    {report.issuer}",
        f"log       entry {'-' if report.rekor_log_index is None else report.rekor_log_index}",
        f"SBOM      attested by the same signer, {counts} components",
    ]
    if not report.sct_checked:
        lines.append(f"note      {NO_CT_LOG}")
    return "\n".join(lines) + "\n"
