"""The checksum by which a repository describes a package."""

from __future__ import annotations

from immutable_base.errors import VerificationError
from immutable_base.model.checksum import Checksum
from immutable_base.tools import libsolv


def checksum_of(solvable: libsolv.Solvable) -> Checksum:
    """Return the checksum of a package. Raises VerificationError if it is none that holds."""
    found = solvable.lookup_checksum(libsolv.library().SOLVABLE_CHECKSUM)
    try:
        return Checksum.of(found.typestr() if found else "", found.hex() if found else "")
    except VerificationError as error:
        raise VerificationError(
            f"repository '{solvable.repo.name}' describes {solvable.name} by a checksum that "
            f"proves nothing: {error.message}",
            hint=error.hint,
        ) from error
