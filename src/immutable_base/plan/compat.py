"""The compat ledger: module versions and kernels that are known to build, or to break.

Pure but for reading the file; versions are compared by the order that the caller passes.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources
from pathlib import Path

from pydantic import Field, ValidationError

from immutable_base.errors import ConfigurationError
from immutable_base.model.document import Frozen
from immutable_base.solver.evr import Order
from immutable_base.workspace import write_atomically

LEARNED = "compat.toml"
"""What our own builds learned, in the workspace; the same form as the ledger that is shipped."""


class CompatVerdict(StrEnum):
    """What is known of a module on a kernel."""

    BUILDS = "builds"
    BREAKS = "breaks"


class CompatEntry(Frozen):
    """One line of experience."""

    module: str
    version: str
    """A version, the beginning of versions, or `version-release` of one package."""
    from_: str = Field(default="", alias="from")
    """First kernel version of the range."""
    below: str = ""
    """First kernel version after the range."""
    verdict: CompatVerdict
    evidence: str
    source: str

    def covers(self, kernel: str, order: Order) -> bool:
        """Tell whether a kernel's `version[-release]` lies in the range."""
        return (not self.from_ or order(self.from_, kernel) <= 0) and (
            not self.below or order(kernel, self.below) < 0
        )


class _Document(Frozen):
    entry: tuple[CompatEntry, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Ledger:
    """Every entry, shipped and learned."""

    entries: tuple[CompatEntry, ...]

    def find(
        self, module: str, version: str, release: str, kernel: str, order: Order
    ) -> CompatEntry | None:
        """Return what is known of a module's package on a kernel version, None if nothing is.

        The entry that names the package most exactly counts; among equals a break does.
        """
        known = [
            entry
            for entry in self.entries
            if entry.module == module
            and matches(entry.version, version, release)
            and entry.covers(kernel, order)
        ]
        return max(known, key=_weight, default=None)


def _weight(entry: CompatEntry) -> tuple[int, bool]:
    return len(entry.version), entry.verdict is CompatVerdict.BREAKS


def matches(pattern: str, version: str, release: str = "") -> bool:
    """Tell whether a version is the pattern, or begins with its components.

    `2.3` covers 2.3 and 2.3.9, not 2.30.
    """
    return pattern in {version, f"{version}-{release}"} or version.startswith(f"{pattern}.")


def load_ledger(workspace: Path) -> Ledger:
    """Return the shipped ledger and what this workspace learned.

    Raises ConfigurationError if a file is not of the ledger's form.
    """
    shipped = resources.files("immutable_base.plan").joinpath("compat.toml").read_text("utf-8")
    entries = _parse(shipped, "compat.toml")
    learned = workspace / LEARNED
    if learned.is_file():
        entries += _parse(learned.read_text("utf-8"), str(learned))
    return Ledger(entries=entries)


def learn(workspace: Path, entries: Iterable[CompatEntry]) -> None:
    """Add what a build showed to the workspace's ledger; known entries are not repeated."""
    path = workspace / LEARNED
    text = path.read_text("utf-8") if path.is_file() else ""
    for entry in entries:
        block = _block(entry)
        if block not in text:
            text += block
    write_atomically(path, text)


def _parse(text: str, name: str) -> tuple[CompatEntry, ...]:
    try:
        return _Document.model_validate(tomllib.loads(text)).entry
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError(
            f"the compat ledger {name} is malformed", details=str(error)
        ) from error


def _block(entry: CompatEntry) -> str:
    values = entry.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    # A JSON string with ASCII escapes is a TOML basic string.
    lines = [f"{key} = {json.dumps(value)}" for key, value in values.items()]
    return "\n".join(["[[entry]]", *lines, "", ""])
