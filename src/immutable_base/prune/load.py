"""A plan of `registry prune` that an earlier command wrote."""

from __future__ import annotations

from pathlib import Path

from immutable_base.errors import ConfigurationError
from immutable_base.model.document import read_document
from immutable_base.model.prune import PrunePlan

HOW = "`immutable-base registry prune --format json --output FILE` makes one"
SHOWN = 500


def load_prune_plan(path: Path) -> PrunePlan:
    """Read a plan from a file; raises ConfigurationError if it is none.

    A pipe without a writer would never answer.
    """
    if path.is_fifo():
        raise ConfigurationError(f"{path} is a pipe, and no plan", hint=HOW)
    try:
        return read_document(PrunePlan, path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"cannot read {path}: {error.strerror}", hint=HOW) from error
    except ValueError as error:  # pydantic's are, too
        raise ConfigurationError(
            f"{path} is no plan of what may go from a registry",
            details=str(error)[:SHOWN],
            hint=HOW,
        ) from error
