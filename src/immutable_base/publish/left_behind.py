"""Whether hosts on what is published now would still take what is published next."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from immutable_base.errors import OtherSignerError, VerificationError, printable
from immutable_base.policy.accepted import HOSTS_ACCEPT, is_refused, offered
from immutable_base.publish.publisher import Publisher
from immutable_base.publish.request import PublishRequest
from immutable_base.tools import skopeo

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Followed:
    """An image that tags name now, on which there are hosts."""

    digest: str
    names: str
    """Of its tags."""
    label: str
    """What these hosts take; empty: it does not say."""
    signed_at: int
    """When our pipeline signed it last, in seconds since 1970; 0 if another one has."""


def read_followed(
    publisher: Publisher, request: PublishRequest, before: Mapping[str, str | None]
) -> tuple[Followed, ...]:
    """Return the images from which hosts come to this one; `before` is what tags name now.

    What nobody has signed has no hosts, whatever it says: who may push could stop every publication
    by a label. Raises RemoteError if nothing can be known.
    """
    found = []
    for digest in sorted({it for it in before.values() if it} - {request.digest}):
        signed_at = _signed_at(publisher, request.repository, digest)
        if signed_at is None:
            continue
        pinned = f"{request.repository}@{digest}"
        labels = skopeo.published_labels(publisher.run, pinned, publisher.sigstore.environment)
        names = ", ".join(name for name, it in before.items() if it == digest)
        label = (labels or {}).get(HOSTS_ACCEPT, "")
        found.append(Followed(digest=digest, names=names, label=label, signed_at=signed_at))
    return tuple(found)


def refuse_to_leave_behind(
    publisher: Publisher,
    request: PublishRequest,
    followed: Collection[Followed],
    claims: Mapping[str, str] | None = None,
) -> None:
    """Refuse to publish what hosts on the images that tags name now would refuse.

    Images say by a label what their hosts take; those without it say nothing, and stop nothing.
    `claims` are what the certificate of the signature says of the job; None: it is not made yet.
    Raises VerificationError unless `signing.leave_behind` names the label.
    """
    offer = offered(publisher.signer, publisher.key.public if publisher.key else None)
    for it in followed:
        if it.label in publisher.leave_behind or not is_refused(it.label, offer, claims):
            continue
        job = "".join(f"\n{name} {value}" for name, value in sorted((claims or {}).items()))
        raise VerificationError(
            f"hosts on {request.repository}:{it.names} would refuse this image and all later ones",
            details=f"{it.digest} has hosts take: {printable(it.label)[:1000]}\n"
            f"this one is signed by: {' and '.join(sorted(offer))}{job}",
            hint="a step of a rotation was left out: docs/how-to/rotate-the-signing-key.md; to "
            "publish all the same, put what they take into signing.leave_behind; if that image is "
            "not yours, somebody has moved the tag: delete the tag, and run again",
        )


def newest_signature(followed: Collection[Followed], renew: int | None) -> int | None:
    """Return until when signatures are too old for hosts on these images, `renew` if that is later.

    Hosts refuse what was signed before what they have: an image that is built as it was before
    comes back with an old signature.
    """
    times = [it.signed_at - 1 for it in followed if it.signed_at]
    return max([*times, *([] if renew is None else [renew])], default=None)


def _signed_at(publisher: Publisher, repository: str, digest: str) -> int | None:
    """Return when our pipeline signed an image, None if nobody has.

    0 if another one has: it may have been ours.
    """
    try:
        verified = replace(publisher.verifier, complete=False).verify(repository, digest)
    except OtherSignerError:
        return 0
    except VerificationError as error:
        log.info("no host is on %s: %s", digest, error.message)
        return None
    return verified.proof.signature.signed_at
