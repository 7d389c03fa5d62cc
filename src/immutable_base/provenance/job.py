"""Who states a provenance: the job, by the token that it signs with."""

from __future__ import annotations

from importlib import metadata

from immutable_base.provenance.record import BuildJob
from immutable_base.sign import TokenClaims
from immutable_base.verification.verify_image import moment


def job_of(claims: TokenClaims, *, began: float, now: float) -> BuildJob:
    """Return who states a provenance with this token, and when.

    `began` says when the pipeline was made, infinite if nobody says; both in seconds since 1970.
    """
    return BuildJob(
        builder=claims.identity or "",
        version=_own_version(),
        invocation=claims.job_url,
        started=moment(int(began)) if began <= now else "",
        finished=moment(int(now)),
    )


def _own_version() -> str:
    try:
        return metadata.version("immutable-base")
    except metadata.PackageNotFoundError:
        return ""
