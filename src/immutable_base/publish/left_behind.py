"""Whether hosts on what is published now would still take what is published next."""

from __future__ import annotations

from collections.abc import Mapping

from immutable_base.errors import VerificationError, printable
from immutable_base.policy.accepted import HOSTS_ACCEPT, is_refused, offered
from immutable_base.publish.publisher import Publisher
from immutable_base.publish.request import PublishRequest
from immutable_base.tools import skopeo


def refuse_to_leave_behind(
    publisher: Publisher, request: PublishRequest, before: Mapping[str, str | None]
) -> None:
    """Refuse to publish what hosts on the images that tags name now would refuse.

    Images say by a label what their hosts take; those without it say nothing, and stop nothing.
    Raises VerificationError unless `signing.leave_behind` names the label, RemoteError if nothing
    can be known.
    """
    offer = offered(publisher.signer, publisher.key.public if publisher.key else None)
    for digest in sorted({found for found in before.values() if found} - {request.digest}):
        pinned = f"{request.repository}@{digest}"
        labels = skopeo.published_labels(publisher.run, pinned, publisher.sigstore.environment)
        label = (labels or {}).get(HOSTS_ACCEPT, "")
        if is_refused(label, offer) and label not in publisher.leave_behind:
            names = ", ".join(name for name, found in before.items() if found == digest)
            raise VerificationError(
                f"hosts on {request.repository}:{names} would refuse this image and all later ones",
                details=f"{digest} has hosts take: {printable(label)[:1000]}\n"
                f"this one is signed by: {' and '.join(sorted(offer))}",
                hint="a step of a rotation was left out: docs/how-to/rotate-the-signing-key.md; "
                "to publish all the same, put what they take into signing.leave_behind",
            )
