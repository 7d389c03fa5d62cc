"""The compat ledger: module versions and kernels that are known to build, or to break.

Versions are compared by the order that the caller passes.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import StrEnum
from importlib import resources

from pydantic import Field, ValidationError

from immutable_base.errors import ConfigurationError
from immutable_base.model.document import Frozen
from immutable_base.solver.order import Order


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
    """Every entry."""

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


def load_ledger() -> Ledger:
    """Return the ledger that is shipped."""
    text = resources.files("immutable_base.plan").joinpath("compat.toml").read_text("utf-8")
    return parse_ledger(text)


def parse_ledger(text: str) -> Ledger:
    """Read a ledger. Raises ConfigurationError if it is not of the ledger's form."""
    try:
        return Ledger(entries=_Document.model_validate(tomllib.loads(text)).entry)
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        raise ConfigurationError("the compat ledger is malformed", details=str(error)) from error
