"""How old a repository's metadata may be: pure.

A signature does not say that something is the newest: whoever keeps a mirror at an old state keeps
old packages, with their holes, in every image (a freeze attack).
"""

from __future__ import annotations

from datetime import UTC, datetime

from immutable_base.config.schema import Repository
from immutable_base.errors import VerificationError
from immutable_base.repository.metadata import Metadata

DAY = 86400


def staleness(metadata: Metadata, repository: Repository, now: float) -> VerificationError | None:
    """Return why metadata is older than its repository may be, None if it is not.

    `now` is in seconds since 1970. Metadata that does not say when it was made is of any age.
    """
    limit, name = repository.maximum_age_days, metadata.source.id
    if limit is None:
        return None
    hint = (
        f"a mirror that is not updated any more, or is kept from it; "
        f"repositories.{name}.maximum_age_days is the limit"
    )
    if metadata.timestamp is None:
        return VerificationError(
            f"repository '{name}': its metadata does not say when it was made, "
            f"and may be {limit} days old at most",
            details=metadata.url,
            hint=hint,
        )
    if now - metadata.timestamp <= limit * DAY:
        return None
    made = datetime.fromtimestamp(metadata.timestamp, UTC).date()
    return VerificationError(
        f"repository '{name}': its metadata is of {made}, and may be {limit} days old at most",
        details=metadata.url,
        hint=hint,
    )
