"""The second signature, by a key: the one that hosts can demand today."""

from __future__ import annotations

from collections.abc import Sequence

from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.policy.public_key import canonical_pem
from immutable_base.publish.publisher import Publisher
from immutable_base.tools import cosign


def require_known_key(publisher: Publisher) -> None:
    """Refuse to sign with another key than hosts are told to accept.

    Every host would refuse what is published. Raises ConfigurationError.
    """
    key = publisher.key
    if key is None:
        return
    found = cosign.public_key(publisher.run, key).encode()
    if canonical_pem(found, f"the public half of {key.reference}") != key.public:
        raise ConfigurationError(
            f"{key.reference} is not the key that hosts accept",
            hint="signing.keys.signing_with says which of key_paths belongs to it; "
            "`immutable-base policy rotate` shows the next step of a rotation",
        )


def unsigned_tags(
    publisher: Publisher, repository: str, digest: str, tags: Sequence[str]
) -> tuple[str, ...]:
    """Return the tags for which the configured key has not signed a digest; none without a key."""
    if publisher.key is None:
        return ()
    signed = publisher.tags_signed_by_key(repository, digest)
    return tuple(tag for tag in tags if tag not in signed)


def sign_by_key(publisher: Publisher, repository: str, digest: str, tags: Sequence[str]) -> None:
    """Let the key sign a digest for each tag for which it has not yet.

    For a tag and not for the repository: else whoever may write to the registry could let a tag
    that names a day or a kernel name any other image of ours, and hosts would take it.
    Raises RemoteError if a service fails.
    """
    if publisher.key is None:
        return
    for tag in unsigned_tags(publisher, repository, digest, tags):
        cosign.sign_with_key(
            publisher.run, f"{repository}@{digest}", publisher.sigstore, publisher.key,
            identity=f"{repository}:{tag}",
        )  # fmt: skip


def require_signed_by_key(
    publisher: Publisher, repository: str, digest: str, tags: Sequence[str]
) -> None:
    """Raise VerificationError if a tag lacks the key's signature in the registry."""
    if missing := unsigned_tags(publisher, repository, digest, tags):
        raise VerificationError(
            f"{repository}@{digest} has no signature by the key for {', '.join(missing)}",
            hint="does something else write beside this image? Hosts would refuse it; run again",
        )
