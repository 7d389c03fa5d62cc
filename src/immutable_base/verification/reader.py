"""A repository in a registry, as far as a verification reads it."""

from __future__ import annotations

from typing import Protocol


class Reader(Protocol):
    """A repository in a registry, as far as it is read."""

    def manifest(self, reference: str) -> bytes | None:
        """Return the manifest that a tag or digest names, None if there is none."""

    def blob(self, digest: str, size: int) -> bytes | None:
        """Return a blob of at most `size` bytes, None if there is none; nothing is compared.

        Raises TooLargeError if it has more.
        """

    def close(self) -> None:
        """End what is open."""
