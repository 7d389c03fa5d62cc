"""What an admission says, whether a new one may be made, and which may go: pure."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from immutable_base.errors import VerificationError
from immutable_base.verification.policy import Signer
from immutable_base.verification.simple_signing import TYPE, normalized
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import (
    DIGEST,
    count_of,
    members,
    parse_json,
    require_object,
    text_of,
)
from immutable_base.verification.verify_image import Verified, moment

CREATOR = "immutable-base-admission"
DAY = 86400


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """One image that this host may pull, under one name."""

    reference: str
    """`registry/path:tag` or `registry/path@sha256:...`: exactly the name that is pulled."""
    digest: str
    signed_at: int
    """When the pipeline signed it: seconds since 1970, by the log."""
    admitted_at: int
    """Seconds since 1970, by the host's clock."""

    def __str__(self) -> str:
        """Return what a person is told of it."""
        return f"{self.reference} {self.digest} signed {moment(self.signed_at)}"


def name_to_pull(repository: str, tag: str | None, digest: str | None) -> str:
    """Return how container tools spell what they pull; source: distribution/reference."""
    return normalized(repository) + (f":{tag}" if tag else "") + (f"@{digest}" if digest else "")


def write_statement(admission: Admission) -> bytes:
    """Return the text that the host signs: the tag is bound, and only this digest is meant.

    Source: container-signature(5), `critical` and `optional`, and
    image/signature/internal/sigstore_payload.go of containers/container-libs.
    """
    document = {
        "critical": {
            "identity": {"docker-reference": admission.reference},
            "image": {"docker-manifest-digest": admission.digest},
            "type": TYPE,
        },
        "optional": {
            "creator": CREATOR,
            "signed_at": admission.signed_at,
            "timestamp": admission.admitted_at,
        },
    }
    return json.dumps(document, separators=(",", ":"), sort_keys=True).encode()


def read_statement(raw: bytes) -> Admission:
    """Return what such a text admits; raises Skipped if it is another one's."""
    what = "the admission"
    outer = members(parse_json(raw, what), what, ("critical", "optional"))
    critical = members(outer["critical"], what, ("identity", "image", "type"))
    optional = require_object(outer["optional"], what)
    identity = members(critical["identity"], what, ("docker-reference",))
    image = members(critical["image"], what, ("docker-manifest-digest",))
    digest = text_of(image["docker-manifest-digest"], what)
    if critical["type"] != TYPE or DIGEST.fullmatch(digest) is None:
        raise Skipped(f"{what} is about something else")
    return Admission(
        reference=text_of(identity["docker-reference"], what),
        digest=digest,
        signed_at=count_of(optional.get("signed_at"), what),
        admitted_at=count_of(optional.get("timestamp"), what),
    )


def newest(admissions: Iterable[Admission], reference: str) -> Admission | None:
    """Return the admission of a name that the pipeline signed last."""
    found = [item for item in admissions if item.reference == reference]
    return max(found, key=lambda item: item.signed_at, default=None)


def newer(candidate: Admission, known: Iterable[Admission]) -> list[Admission]:
    """Return the admissions of its name from which a person goes back to this one."""
    name = candidate.reference
    return [it for it in known if it.reference == name and it.signed_at > candidate.signed_at]


def require_not_older(
    candidate: Admission, known: Iterable[Admission], signed_after: int = 0
) -> None:
    """Refuse an image that was signed before one that this host has admitted under the same name.

    One that has admitted none has an image all the same, of which the newest input was made at
    `signed_after`.
    Raises VerificationError: somebody who may write to the registry can offer an old image again.
    """
    last = newest(known, candidate.reference)
    floor = last.signed_at if last else signed_after
    if candidate.signed_at < floor:
        of = "the one that this host has admitted" if last else "the packages in this host's image"
        raise VerificationError(
            f"{candidate.reference} names an image that was signed {moment(candidate.signed_at)}, "
            f"which is older than {moment(floor)}, of {of}",
            details=f"offered  {candidate.digest}" + (f"\nadmitted {last.digest}" if last else ""),
            hint="if the publisher has gone back on purpose: `immutable-base-admission admit "
            "--allow-older`",
        )


def expired(
    admissions: Collection[Admission], deployed: Collection[str], keep_days: int, now: int
) -> list[Admission]:
    """Return the admissions that nothing needs any more.

    Kept are those of `deployed` digests (booted, staged, for rollback), the newest one of each
    name, and whatever was admitted in the last `keep_days` (also what a wrong clock dated ahead).
    """
    return [
        item
        for item in admissions
        if item.digest not in deployed
        and item != newest(admissions, item.reference)
        and item.admitted_at < now - keep_days * DAY
    ]


def explain(admission: Admission, signer: Signer, proof: Verified) -> str:
    """Return what was verified, for a log that somebody reads later."""
    lines = [
        f"admitted   {admission.reference}",
        f"digest     {admission.digest}",
        f"signed by  {signer.identity}",
        f"signed at  {moment(admission.signed_at)}, log entry {proof.signature.log_index}",
    ]
    lines += [f"{name} {proof.signature.claims.get(name, '')}" for name in sorted(signer.claims)]
    return "\n".join(lines)
