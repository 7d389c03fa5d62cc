"""Programs that no distribution packages: what they are built from, which versions are accepted."""

from __future__ import annotations

import functools
import json
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import CommandError

VERSION_TIMEOUT = 60.0
"""Seconds for a program to report its version; a cold disk needs some."""
FILE = Path(__file__).with_name("pins.toml")
_VERSION = re.compile(r"(?:v|go)?(\d+)\.(\d+)(?:\.(\d+))?(-[0-9A-Za-z.-]+)?(?:\+.*)?")


@functools.total_ordering
@dataclass(frozen=True, slots=True)
class Version:
    """A version as Semantic Versioning orders it, except that all pre-releases of one are equal."""

    numbers: tuple[int, int, int]
    is_prerelease: bool = False

    @classmethod
    def parse(cls, text: str) -> Version:
        """Read `v2.6.5`, `1.42.3`, `go1.25`; raises ValueError for anything else."""
        match = _VERSION.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text.strip()!r} is not a version")
        major, minor, patch, suffix = match.groups()
        return cls((int(major), int(minor), int(patch or 0)), is_prerelease=suffix is not None)

    def __lt__(self, other: Version) -> bool:
        """Order by numbers; a pre-release comes before its release."""
        return (self.numbers, not self.is_prerelease) < (other.numbers, not other.is_prerelease)

    def __str__(self) -> str:
        """Return the numbers, as programs report them."""
        return ".".join(map(str, self.numbers)) + ("-pre" if self.is_prerelease else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Pin:
    """One row of pins.toml; the keys are explained there."""

    name: str
    module: str
    version: str
    sum: str
    go: str
    package: str
    stamp: str
    accepted: tuple[tuple[str, str], ...]
    reason: str

    @property
    def number(self) -> str:
        """The version without Go's `v`."""
        return self.version.removeprefix("v")

    def accepts(self, version: Version) -> bool:
        """Tell whether the product works with this version of the program."""
        # By numbers: a pre-release of the end is not accepted either.
        return any(
            Version.parse(first) <= version and version.numbers < Version.parse(end).numbers
            for first, end in self.accepted
        )

    @property
    def accepted_text(self) -> str:
        """The accepted ranges as a person reads them."""
        return " or ".join(f">= {first}, < {end}" for first, end in self.accepted)


@functools.cache
def load_pins() -> Mapping[str, Pin]:
    """Return every pinned program by name."""
    rows = tomllib.loads(FILE.read_text())
    return {
        name: Pin(
            name=name,
            **{**row, "accepted": tuple((first, end) for first, end in row["accepted"])},
        )
        for name, row in rows.items()
    }


def json_version(program: str, text: str, key: str) -> Version:
    """Return the version under `key` of a program's JSON; raises as `parse_version` does."""
    try:
        return parse_version(program, str(json.loads(text)[key]))
    except (ValueError, KeyError, TypeError) as error:
        raise CommandError(
            f"the version of `{program}` cannot be read: it wrote no JSON with {key!r}",
            details=text[:500],
        ) from error


def parse_version(program: str, text: str) -> Version:
    """Return the version that a program reports.

    Raises CommandError if that is not one, such as the `devel` of an unreleased build.
    """
    try:
        return Version.parse(text)
    except ValueError as error:
        raise CommandError(f"the version of `{program}` cannot be read: {error}") from error
