"""A repository in a registry, as far as a verification reads it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from immutable_base.verification.deadline import Deadline


class Reader(Protocol):
    """A repository in a registry, as far as it is read."""

    def manifest(self, reference: str) -> bytes | None:
        """Return the manifest that a tag or digest names, None if there is none."""

    def blob(self, digest: str, size: int) -> bytes | None:
        """Return a blob of at most `size` bytes, None if there is none; nothing is compared."""

    def referrers(self, digest: str, kind: str) -> tuple[bytes, ...] | None:
        """Return the pages of what refers to a digest, None if the registry has no list of its own.

        `kind` is the artifact type that is looked for; a registry may list others, too.
        """

    def put_manifest(self, reference: str, raw: bytes, kind: str) -> None:
        """Write a manifest of the media type `kind`; a verification writes none."""

    def close(self) -> None:
        """End what is open."""


ReaderOpener = Callable[[str, Deadline], Reader]
"""Returns a repository of a registry, read until a moment."""
