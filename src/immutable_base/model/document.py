"""The base of every document that stages exchange, and its one canonical text."""

from __future__ import annotations

import json

from pydantic import BaseModel, ConfigDict


class Frozen(BaseModel):
    """A frozen value; unknown keys are errors."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, frozen=True, extra="forbid", str_strip_whitespace=True
    )

    def to_json(self) -> str:
        """Return the canonical text: the same value gives the same bytes."""
        document = self.model_dump(mode="json")
        return json.dumps(document, indent=2, ensure_ascii=False) + "\n"
