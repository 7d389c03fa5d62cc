"""What this host lacks, one line for each requirement."""

from __future__ import annotations

from collections.abc import Iterable

from immutable_base.doctor import Requirement


def requirements_text(requirements: Iterable[Requirement]) -> str:
    """Return one line for each requirement; what is missing ends with how to fix it."""
    return "".join(f"{_line(requirement)}\n" for requirement in requirements)


def _line(requirement: Requirement) -> str:
    mark = "ok     " if requirement.ok else "MISSING"
    fix = "" if requirement.ok else f": {requirement.fix}"
    return f"{mark} {requirement.name} ({requirement.reason}){fix}"
