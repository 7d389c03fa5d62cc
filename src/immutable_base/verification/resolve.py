"""From what was asked for to the digest that is verified, and the names a signature may have."""

from __future__ import annotations

from collections.abc import Mapping

from immutable_base.errors import BrokenProofError, NoSuchImageError
from immutable_base.verification.image import digest_of
from immutable_base.verification.reader import Reader


def resolve(reader: Reader, repository: str, tag: str | None, digest: str | None) -> str:
    """Return the digest that a tag names now, or the one that was asked for.

    With both, the tag must name the digest. Raises NoSuchImageError, BrokenProofError.
    """
    if tag is not None:
        raw = reader.manifest(tag)
        if raw is None:
            raise NoSuchImageError(f"there is no image {repository}:{tag}")
        found = digest_of(raw)
        if digest not in {None, found}:
            raise BrokenProofError(
                f"the tag {repository}:{tag} names {found}, not {digest}",
                hint="ask for one of them: the tag moves, the digest does not",
            )
        digest = found
    if digest is None:
        raise NoSuchImageError(f"{repository} was asked for without a tag and a digest")
    return digest


def names_of(repository: str, mirrors: Mapping[str, str]) -> tuple[str, ...]:
    """Return the repositories that a signature may name: this one, and what it mirrors.

    `mirrors` has prefixes of declared mirrors, and the prefix that each of them mirrors.
    """
    mirrored = [
        original + repository[len(mirror) :]
        for mirror, original in mirrors.items()
        if repository.startswith(f"{mirror}/")
    ]
    return (repository, *mirrored)
