"""A plan that an earlier command wrote."""

from __future__ import annotations

import json
from pathlib import Path

from pydantic import ValidationError

from immutable_base.errors import ConfigurationError
from immutable_base.model.plan import Plan

HOW = (
    "`immutable-base plan --format json --output FILE` makes one; a run leaves `tonight/plan.json`"
)
KNOWN: int = Plan.model_fields["schema_version"].default
MOST_MISTAKES = 5
"""Of a document that is something else altogether, more would only bury the message."""


def load_plan(path: Path | str) -> Plan:
    """Read a plan from a file.

    Raises ConfigurationError: it cannot be read, was cut off, is of a later version, or no plan.
    """
    try:
        document = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the plan {path}: {error.strerror}", hint=HOW
        ) from error
    except (ValueError, RecursionError) as error:  # a decoder's errors are ValueErrors
        raise ConfigurationError(
            f"{path} is no plan: it is not JSON, or was cut off", details=str(error), hint=HOW
        ) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if isinstance(version, int) and version > KNOWN:
        raise ConfigurationError(
            f"{path} was made by a later immutable-base: its schema_version is {version}, "
            f"this one reads {KNOWN}",
            hint=f"update immutable-base, or make it again: {HOW}",
        )
    try:
        plan = Plan.model_validate(document)
    except ValidationError as error:
        raise ConfigurationError(f"{path} is no plan", details=_explain(error), hint=HOW) from error
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
