"""Whether hosts on what is published now would still take what is published next."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from immutable_base.errors import VerificationError, printable
from immutable_base.policy.accepted import is_refused, offered
from immutable_base.publish.followed import Followed
from immutable_base.publish.publisher import Publisher
from immutable_base.publish.request import PublishRequest


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
