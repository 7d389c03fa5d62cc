"""The base of every document that stages exchange, and its one canonical text."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict


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
    rests_on: dict[str, str]
    """Each document that this one was made from, by its name, and the SHA-256 of its bytes."""
