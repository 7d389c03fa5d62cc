"""What a verification proved, as a person reads it."""

from __future__ import annotations

from pathlib import Path

from immutable_base.errors import printable
from immutable_base.report.trust import trust_source
from immutable_base.verification.complete.provenance import BASE
from immutable_base.verification.verify_image import components_of, moment
from immutable_base.verify import NO_CT_LOG, VerifiedImage


def _complete(verified: VerifiedImage) -> list[str]:
    """Return the lines about full SBOM and provenance; none where they were not demanded."""
    if verified.more is None:
        return []
    full, built = verified.complete.full_sbom, verified.provenance
    return [
        f"full SBOM sha256:{full.sha256}, {components_of(full.document)} components",
        f"built     {built.build_type.partition('#')[2]}, of {len(built.dependencies)} materials",
        f"          on {built.dependencies[BASE].uri}",
        f"          by {built.invocation or 'a job without a name'}, {built.finished or '-'}",
    ]


def _on_one_line(fact: str) -> str:
    """Return a fact that cannot look like two: certificates and provenances may hold line feeds."""
    return printable(fact).replace("\n", "\\x0a")


def verification_text(verified: VerifiedImage, *, configuration: Path | None) -> str:
    """Return what was proven, one fact a line; `configuration` named whom to trust."""
    signature, roots = verified.proof.signature, verified.roots
    newest, *older = verified.proof.sboms
    lines = [
        f"verified  {verified.pinned}",
        f"tag       {verified.tag or '-'}",
        f"signer    {verified.signer.identity}",
        f"issuer    {verified.signer.issuer}",
        f"signed    {moment(signature.signed_at)}, for {signature.signed_for}",
        f"log       entry {verified.log_index}",
        f"job       {signature.claims.get('job_url', '-')}",
        f"SBOM      attested by the same signer, {components_of(newest.document)} components",
        *_complete(verified),
        f"trust     {roots.instance}, by {configuration or 'no configuration'}",
        f"          {trust_source(roots)}",
        *(f"          {line}" for line in roots.fingerprints),
    ]
    if older:
        lines.append(f"note      {len(older)} older SBOMs by the same signer are attested too")
    if verified.proof.by_key:
        lines.append(
            f"note      {verified.proof.by_key} signatures by a key, for hosts: not looked at here"
        )
    if verified.skipped:
        lines.append(f"note      {verified.skipped} items beside the image were skipped")
    if not verified.sct_checked:
        lines.append(f"note      {NO_CT_LOG}")
    return "\n".join(map(_on_one_line, lines)) + "\n"
