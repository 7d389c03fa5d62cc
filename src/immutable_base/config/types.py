"""Texts that more than one table of immutable-base.toml has."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, StringConstraints
from pydantic_core import PydanticCustomError

from immutable_base.config.trust import IDENTITY, NAME, SECURE_URL

Name = Annotated[str, StringConstraints(pattern=NAME)]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{40}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://")]
SecureUrl = Annotated[str, StringConstraints(pattern=SECURE_URL)]
Identity = Annotated[str, StringConstraints(pattern=IDENTITY)]


def _distinct(paths: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(paths)) != len(paths) or not all(paths):
        raise PydanticCustomError("key_paths", "key_paths names a file twice, or none")
    return paths


KeyPaths = Annotated[tuple[str, ...], Field(min_length=1, max_length=2), AfterValidator(_distinct)]
"""Files of public keys that hosts accept: the current one, and the next."""
