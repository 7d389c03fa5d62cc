"""The images from which hosts come to the one that is published next."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace

from immutable_base.errors import OtherSignerError, VerificationError
from immutable_base.policy.accepted import HOSTS_ACCEPT
from immutable_base.publish.publisher import Publisher
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
    created: str
    """When it was made, as its configuration says it: the time of its inputs."""
    signed_at: int
    """When our pipeline signed it last, in seconds since 1970; 0 if another one has."""


def read_followed(
    publisher: Publisher, repository: str, digest: str, before: Mapping[str, str | None]
) -> tuple[Followed, ...]:
    """Return what hosts come from to the image `digest`; `before` is what tags name now.

    What nobody has signed has no hosts, whatever it says: who may push could stop every publication
    by a label. Raises RemoteError if nothing can be known.
    """
    found = []
    for other in sorted({it for it in before.values() if it} - {digest}):
        signed = _signed(publisher, repository, other)
        if signed is None:
            continue
        created, signed_at = signed
        labels = skopeo.published_labels(
            publisher.run, f"{repository}@{other}", publisher.sigstore.environment
        )
        found.append(
            Followed(
                digest=other,
                names=", ".join(name for name, it in before.items() if it == other),
                label=(labels or {}).get(HOSTS_ACCEPT, ""),
                created=created,
                signed_at=signed_at,
            )
        )
    return tuple(found)


def newest_signature(followed: Collection[Followed], renew: int | None) -> int | None:
    """Return until when signatures are too old for hosts on these images, `renew` if that is later.

    Hosts refuse what was signed before what they have: an image that is built as it was before
    comes back with an old signature.
    """
    times = [it.signed_at - 1 for it in followed if it.signed_at]
    return max([*times, *([] if renew is None else [renew])], default=None)


def _signed(publisher: Publisher, repository: str, digest: str) -> tuple[str, int] | None:
    """Return when an image was made and when our pipeline signed it, None if nobody has.

    The latter is 0 if another pipeline has: it may have been ours. An image without a provenance
    counts as well: hosts would take it.
    """
    try:
        proof = replace(publisher.verifier, complete=False).verify(repository, digest).proof
    except OtherSignerError:
        return "", 0
    except VerificationError as error:
        log.info("no host is on %s: %s", digest, error.message)
        return None
    return proof.created, proof.signature.signed_at
