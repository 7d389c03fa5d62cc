"""What this host lacks, one line for each requirement."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict

from immutable_base.doctor import Requirement


def requirements_text(requirements: Iterable[Requirement]) -> str:
    """Return one line for each requirement; what is missing ends with how to fix it."""
    return "".join(f"{_line(requirement)}\n" for requirement in requirements)


def requirements_json(requirements: Sequence[Requirement]) -> str:
    """Return the same as JSON: whether this host is ready, and each requirement."""
    ready = all(requirement.ok for requirement in requirements)
    document = {"ready": ready, "requirements": [asdict(it) for it in requirements]}
    return json.dumps(document, indent=2) + "\n"


def _line(requirement: Requirement) -> str:
    mark = "ok     " if requirement.ok else "MISSING"
    fix = "" if requirement.ok else f": {requirement.fix}"
    return f"{mark} {requirement.name} ({requirement.reason}){fix}"
