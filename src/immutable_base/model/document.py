"""The base of every document that stages exchange, and its one canonical text."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A frozen value; unknown keys are errors."""

    # Validators are built when they are first used: no command needs all of them.
    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, defer_build=True
    )

    def to_json(self) -> str:
        """Return the canonical text: the same value gives the same bytes."""
        document = self.model_dump(mode="json")
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
