"""Who must have signed, what for, and when."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

EXTENSIONS = {
    "build_signer_uri": "1.3.6.1.4.1.57264.1.9",
    "build_signer_digest": "1.3.6.1.4.1.57264.1.10",
    "runner_environment": "1.3.6.1.4.1.57264.1.11",
    "source_repository_uri": "1.3.6.1.4.1.57264.1.12",
    "source_repository_digest": "1.3.6.1.4.1.57264.1.13",
    "source_ref": "1.3.6.1.4.1.57264.1.14",
    "project_id": "1.3.6.1.4.1.57264.1.15",
    "build_trigger": "1.3.6.1.4.1.57264.1.20",
    "job_url": "1.3.6.1.4.1.57264.1.21",
}
"""Our names of the certificate's extensions that say what ran; source: sigstore/fulcio,
docs/oid-info.md, and the GitLab template of config/identity/config.yaml."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who must have signed."""

    identity: str
    """The only subject alternative name of the certificate."""
    issuer: str
    """OIDC issuer that vouched for it."""
    claims: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Names of `EXTENSIONS`, and the values of which the certificate must have one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What an image must prove."""

    signer: Signer
    repositories: tuple[str, ...]
    """Repositories for which the signature may have been made: the one asked for, and what a
    declared mirror mirrors."""
    tag: str | None = None
    """The tag that was asked for; a signature that names a tag must name this one."""
    not_before: int | None = None
    """Seconds since 1970; an image that was signed earlier is refused."""
