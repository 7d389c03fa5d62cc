"""A plan that an earlier command wrote."""

from __future__ import annotations

from pathlib import Path

from pydantic import ValidationError

from immutable_base.errors import ConfigurationError
from immutable_base.model.document import SCHEMA_VERSION, read_document
from immutable_base.model.plan import Plan
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import parse_json

HOW = (
    "`immutable-base plan --format json --output FILE` makes one; a run leaves `tonight/plan.json`"
)
MOST_MISTAKES = 5
"""Of a document that is something else altogether, more would only bury the message."""


def load_plan(path: Path | str) -> Plan:
    """Read a plan from a file.

    Raises ConfigurationError: it cannot be read, was cut off, is of a later version, or no plan.
    """
    try:
        raw = Path(path).read_bytes()
        document: object = parse_json(raw, "it")
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the plan {path}: {error.strerror}", hint=HOW
        ) from error
    except Skipped as error:
        raise ConfigurationError(
            f"{path} is no plan: it is not JSON, or was cut off", details=str(error), hint=HOW
        ) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ConfigurationError(
            f"{path} was made by a later immutable-base: its schema_version is {version}, "
            f"this one reads {SCHEMA_VERSION}",
            hint=f"update immutable-base, or make it again: {HOW}",
        )
    try:
        plan = read_document(Plan, raw)
    except ValueError as error:  # pydantic's are, too
        details = _explain(error) if isinstance(error, ValidationError) else str(error)
        raise ConfigurationError(f"{path} is no plan", details=details, hint=HOW) from error
    names = [variant.name for variant in plan.variants]
    if len(names) != len(set(names)):
        raise ConfigurationError(f"{path} is no plan: it has a variant twice", hint=HOW)
    return plan


def _explain(error: ValidationError) -> str:
    found = error.errors(include_url=False, include_input=False)
    lines = [
        f"{'.'.join(map(str, item['loc'])) or 'document'}: {item['msg']}"
        for item in found[:MOST_MISTAKES]
    ]
    more = len(found) - len(lines)
    return "\n".join([*lines, *([f"and {more} more"] if more else [])])
