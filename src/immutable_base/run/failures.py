"""failed/<step>.json: what went wrong, for `report` on another machine."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from immutable_base.documents import PLAN, Documents, step_name
from immutable_base.errors import ConfigurationError, ImmutableBaseError, exit_code_of
from immutable_base.model.document import read_document
from immutable_base.model.stage import Failure
from immutable_base.schedule import Node, NodeOutcome

FOLDER = "failed"
WITHIN = {"publish": ("publish", "sign", "attest")}
"""Stage to those whose work it does too: once it is done, an earlier failure of them is over."""
AFTER_BUILDING = ("inspect", "check", "sbom", "boot", "publish", "sign", "attest")
"""Stages in their order; every other step is one of building."""


class RecordedError(ImmutableBaseError):
    """An error that a failure document tells of, with the exit code that it had."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.error)
        self.exit_code = failure.exit_code


def error_text(error: BaseException) -> str:
    """Return an error as people read it; one that is a bug of ours begins with its type."""
    if isinstance(error, ImmutableBaseError):
        return str(error)
    return f"{type(error).__name__}: {error}"


def record_failures(
    documents: Documents, nodes: Iterable[Node], outcomes: Mapping[str, NodeOutcome]
) -> None:
    """Write a document for each node that failed; of one that is done, the earlier one goes."""
    for node in nodes:
        outcome = outcomes[node.id]
        name = f"{FOLDER}/{step_name(node.id)}.json"
        if outcome.error is not None:
            failure = Failure(
                rests_on=documents.digests([PLAN]),
                id=node.id,
                variants=node.variants,
                error=error_text(outcome.error),
                exit_code=exit_code_of(outcome.error),
            )
            documents.write(name, failure)
        elif outcome.state == "done":
            stage, _, rest = node.id.partition(":")
            for one in WITHIN.get(stage, (stage,)):
                earlier = step_name(f"{one}:{rest}" if rest else one)
                (documents.folder / f"{FOLDER}/{earlier}.json").unlink(missing_ok=True)


def recorded_failures(documents: Documents) -> tuple[Failure, ...]:
    """Return what failed of this plan, in the order of stages; another plan's failures are no news.

    What failed first is the reason; a stage after it may have failed for want of its document.

    Raises ConfigurationError if a document is not whole.
    """
    plan = documents.digests([PLAN])
    found = []
    for path in sorted((documents.folder / FOLDER).glob("*.json")):
        try:
            failure = read_document(Failure, path.read_bytes())
        except ValueError as error:
            raise ConfigurationError(
                f"{path} is not a whole, valid document", details=str(error)[:500]
            ) from error
        if failure.rests_on == plan:
            found.append(failure)
    return tuple(sorted(found, key=_stage))


def _stage(failure: Failure) -> int:
    name = failure.id.partition(":")[0]
    return AFTER_BUILDING.index(name) + 1 if name in AFTER_BUILDING else 0
