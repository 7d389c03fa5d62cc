"""Errors in a journal, and of modules, that are no fault of the image, each with its reason."""

from __future__ import annotations

import functools
import json
import re
import tomllib
from dataclasses import dataclass
from pathlib import Path

FILE = Path(__file__).with_name("excuses.toml")


@dataclass(frozen=True, slots=True, kw_only=True)
class Excuse:
    """One row of excuses.toml."""

    pattern: re.Pattern[str]
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleExcuse:
    """One row about a module."""

    name: str
    says: str
    """A part of what modprobe writes."""
    reason: str


@functools.cache
def load_excuses() -> tuple[Excuse, ...]:
    """Return every row about the journal."""
    return tuple(
        Excuse(pattern=re.compile(row["pattern"], re.DOTALL), reason=row["reason"])
        for row in _tables()["excuse"]
    )


@functools.cache
def load_module_excuses() -> tuple[ModuleExcuse, ...]:
    """Return every row about a module."""
    return tuple(ModuleExcuse(**row) for row in _tables()["module"])


@functools.cache
def _tables() -> dict[str, list[dict[str, str]]]:
    return tomllib.loads(FILE.read_text())


def why_not_loaded(module: str, said: str) -> str:
    """Return why a sound image's module may refuse to load in these words, empty if it may not."""
    return next(
        (it.reason for it in load_module_excuses() if it.name == module and it.says in said), ""
    )


def unexcused(journal: str) -> tuple[str, ...]:
    """Return the messages of a journal, one JSON object a line, that no row excuses."""
    found = []
    for line in journal.splitlines():
        text = _text(line)
        if not any(excuse.pattern.fullmatch(text) for excuse in load_excuses()):
            found.append(text)
    return tuple(dict.fromkeys(found))


def _text(line: str) -> str:
    try:
        entry = json.loads(line)
        message = entry["MESSAGE"]
        # Bytes that are no text come as an array of numbers. Source: journalctl's JSON format.
        if isinstance(message, list):
            message = bytes(message).decode("utf-8", "replace")
        return f"{entry.get('SYSLOG_IDENTIFIER', '?')}: {message}"
    except (ValueError, TypeError, LookupError, AttributeError):
        return line
