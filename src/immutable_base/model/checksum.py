"""What a file must be: algorithm and digest, never one without the other."""

from __future__ import annotations

from typing import Annotated, Literal, get_args

from pydantic import StringConstraints, model_validator

from immutable_base.errors import VerificationError
from immutable_base.model.document import Frozen

Algorithm = Literal["sha256", "sha384", "sha512"]
"""Those that still hold; sha1 and md5 do not."""
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
DIGITS: dict[Algorithm, int] = {"sha256": 64, "sha384": 96, "sha512": 128}
"""Hexadecimal digits of a digest. Source: FIPS 180-4."""


class Checksum(Frozen):
    """The digest that a file must have, with the algorithm that makes it."""

    algorithm: Algorithm
    hex: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]+$")]
    """The digest in hexadecimal digits."""

    @classmethod
    def of(cls, algorithm: str, hexadecimal: str) -> Checksum:
        """Return the checksum that metadata states.

        Raises VerificationError for an algorithm that proves nothing, ValueError for a text that
        cannot be its digest.
        """
        for known in ALGORITHMS:
            if known == algorithm:
                return cls(algorithm=known, hex=hexadecimal)
        raise VerificationError(
            f"{algorithm or 'none'} is not accepted as a checksum",
            hint=f"the repository must use one of {', '.join(ALGORITHMS)}",
        )

    @property
    def file_stem(self) -> str:
        """Name of a file with this content in a store, without its suffix."""
        return f"{self.algorithm}-{self.hex}"

    def __str__(self) -> str:
        """Return `algorithm:digest`."""
        return f"{self.algorithm}:{self.hex}"

    @model_validator(mode="after")
    def _whole(self) -> Checksum:
        if len(self.hex) != DIGITS[self.algorithm]:
            raise ValueError(f"a {self.algorithm} has {DIGITS[self.algorithm]} digits")
        return self
