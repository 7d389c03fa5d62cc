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


def read_followed(
    publisher: Publisher, request: PublishRequest, before: Mapping[str, str | None]
) -> tuple[Followed, ...]:
    """Return the images from which hosts come to this one; `before` is what tags name now.

    What nobody has signed has no hosts, whatever it says: who may push could stop every publication
    by a label. Raises RemoteError if nothing can be known.
    """
    found = []
    for digest in sorted({it for it in before.values() if it} - {request.digest}):
        if not _is_signed(publisher, request.repository, digest):
            continue
        pinned = f"{request.repository}@{digest}"
        labels = skopeo.published_labels(publisher.run, pinned, publisher.sigstore.environment)
        names = ", ".join(name for name, it in before.items() if it == digest)
        label = (labels or {}).get(HOSTS_ACCEPT, "")
        found.append(Followed(digest=digest, names=names, label=label))
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


def _is_signed(publisher: Publisher, repository: str, digest: str) -> bool:
    """Tell whether our pipeline has signed an image, or another one: it may have been ours."""
    try:
        replace(publisher.verifier, complete=False).verify(repository, digest)
    except OtherSignerError:
        return True
    except VerificationError as error:
        log.info("no host is on %s: %s", digest, error.message)
        return False
    return True
