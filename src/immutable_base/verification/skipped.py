"""Why one signature or attestation does not count; others beside it still may."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum

LONGEST_REASON = 1000
"""Characters: it may quote what a registry says, however long that is."""


class Kind(StrEnum):
    """What is wrong, as far as the answer to the user depends on it."""

    OTHERS = "others"
    """It is whole, but somebody else's."""
    BY_KEY = "by key"
    """It has no certificate: a key made it, for hosts, and nothing says whose that is."""
    BROKEN = "broken"
    """It is not what it claims to be."""
    JUNK = "junk"
    """It is not what it claims to be, and does not even claim to be the signer's."""
    UNRELATED = "unrelated"
    """It is something else: neither signature nor SBOM."""


class Skipped(Exception):  # noqa: N818  not a failure: the next one is looked at
    """One signature or attestation does not count, and why."""

    def __init__(self, reason: str, kind: Kind = Kind.BROKEN) -> None:
        self.reason = reason[:LONGEST_REASON]
        super().__init__(self.reason)
        self.kind = kind


@contextmanager
def skipping(what: str, kind: Kind = Kind.BROKEN) -> Iterator[None]:
    """Turn whatever a parser raises at hostile input into one of these; `what` begins its reason.

    What is broken becomes of that `kind`.
    """
    try:
        yield
    except Skipped as one:
        if one.kind is Kind.BROKEN:
            one.kind = kind
        raise
    except Exception as error:
        raise Skipped(f"{what} cannot be read ({type(error).__name__})", kind) from error
