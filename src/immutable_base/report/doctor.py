"""What this host lacks, one line for each requirement."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict

from immutable_base.doctor import Requirement


def requirements_text(requirements: Iterable[Requirement]) -> str:
    """Return one line for each requirement; what is missing ends with how to fix it."""
    return "".join(f"{_line(requirement)}\n" for requirement in requirements)


def requirements_document(requirements: Sequence[Requirement]) -> dict[str, object]:
    """Return the same for JSON: whether this host is ready, and each requirement."""
    ready = all(requirement.ok for requirement in requirements)
    return {"ready": ready, "requirements": [asdict(it) for it in requirements]}


def _line(requirement: Requirement) -> str:
    mark = "ok     " if requirement.ok else "MISSING"
    fix = "" if requirement.ok else f": {requirement.fix}"
    return f"{mark} {requirement.name} ({requirement.reason}){fix}"
