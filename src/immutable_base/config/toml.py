"""The text of immutable-base.toml as TOML, and the nearest of some words."""

from __future__ import annotations

import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from immutable_base.errors import ConfigurationError


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a configuration file holds; raises ConfigurationError if it is not TOML."""
    try:
        with path.open("rb") as file:
            return tomllib.load(file)
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the configuration {path}: {error.strerror}",
            hint="name the file with --config, or write one: `immutable-base init DIR`",
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(f"{path} is not TOML", details=str(error)) from error


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, or nothing."""
    import difflib  # noqa: PLC0415  for this mistake only

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
