"""What a command that runs one stage reports, and failed/<step>.json, which a failure leaves."""

from __future__ import annotations

from typing import Literal

from immutable_base.model.document import Frozen, StageDocument


class Failure(StageDocument):
    """The document failed/<step>.json: why a step failed. Its next success removes it."""

    id: str
    """Of the step."""
    variants: tuple[str, ...]
    """Those that need it."""
    error: str
    """The whole error: sentence, program's output, next step."""
    exit_code: int


class StageResult(Frozen):
    """How one step of a stage ended."""

    id: str
    title: str
    variants: tuple[str, ...]
    outcome: Literal["done", "failed", "skipped", "held"]
    """`skipped`: something that it needs failed; `held`: the plan builds no such variant."""
    message: str
    """What came out, one line; of a held variant why it is held."""
    seconds: float
    error: str | None
    exit_code: int
    """0, or the class of the error; see docs/reference/exit-codes.md."""


class StageReport(Frozen):
    """The document that a command for one stage prints, from `build` to `publish`."""

    schema_version: Literal[1] = 1
    stage: str
    documents: str
    """Folder in which the documents are."""
    results: tuple[StageResult, ...]

    @property
    def exit_code(self) -> int:
        """The worst step's; a held variant counts as 0."""
        return max((result.exit_code for result in self.results), default=0)

    @property
    def held(self) -> bool:
        """Whether a variant is held."""
        return any(result.outcome == "held" for result in self.results)
