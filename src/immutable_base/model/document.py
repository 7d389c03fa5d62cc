"""The base of every document that stages exchange, and its one canonical text."""

from __future__ import annotations

from typing import Annotated, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints

from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import parse_json

Sha256 = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
"""A checksum, or the id of an image in local storage, which is one."""
Digest = Annotated[str, StringConstraints(pattern="^sha256:[0-9a-f]{64}$")]
"""A digest, as registries write it."""
Text = Annotated[str, StringConstraints(min_length=1)]
"""A text that is not empty."""
FileName = Annotated[str, StringConstraints(pattern="^[^/]*[^/.][^/]*$")]
"""The name of a file in the folder of the document that names it."""
Count = Annotated[int, Field(ge=0)]
"""Bytes, or a number of things."""
SCHEMA_VERSION = 1


class Frozen(BaseModel):
    """A frozen value; unknown keys are errors."""

    # Validators are built when they are first used: no command needs all of them.
    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, defer_build=True
    )

    def to_json(self) -> str:
        """Return the canonical text: the same value gives the same bytes."""
        return self.model_dump_json(indent=2) + "\n"


class StageDocument(Frozen):
    """What one stage of a run writes and later ones read."""

    schema_version: Literal[1] = 1
    rests_on: dict[str, Sha256]
    """Each document that this one was made from, by its name, and the SHA-256 of its bytes."""


AnyDocument = TypeVar("AnyDocument", bound=Frozen)


def read_document(kind: type[AnyDocument], raw: bytes) -> AnyDocument:
    """Return the document that a program of ours has written, and that nobody could read otherwise.

    Raises ValueError: not strict JSON, no or another schema_version, or values that no stage
    writes.
    """
    try:
        document: object = parse_json(raw, "it")
    except Skipped as one:
        raise ValueError(one.reason) from one
    version = document.get("schema_version") if isinstance(document, dict) else None
    if type(version) is not int or version != SCHEMA_VERSION:
        raise ValueError(f"its schema_version is not {SCHEMA_VERSION}")
    return kind.model_validate_json(raw, strict=True)
