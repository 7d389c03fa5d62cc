"""The text of immutable-base.toml as TOML, and the nearest of some words."""

from __future__ import annotations

import os
import stat
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from immutable_base.errors import ConfigurationError

LARGEST = 1 << 20
"""Bytes of a configuration; ours has six thousand."""


def read_toml(path: Path) -> dict[str, Any]:
    """Return what a configuration file holds.

    Raises ConfigurationError if it is no regular file, larger than `LARGEST`, or not TOML.
    """
    try:
        raw = _read_regular(path)
        return tomllib.loads(raw.decode())
    except OSError as error:
        raise ConfigurationError(
            f"cannot read the configuration {path}: {error.strerror}",
            hint="name the file with --config, or write one: `immutable-base init DIR`",
        ) from error
    except (ValueError, RecursionError) as error:  # of a long integer it is a plain ValueError
        raise ConfigurationError(f"{path} is not TOML", details=str(error)) from error


def _read_regular(path: Path) -> bytes:
    """Return what a file holds; nobody waits for the other end of a FIFO."""
    with open(path, "rb", opener=_open_at_once) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise ConfigurationError(
                f"the configuration {path} is not a regular file", hint="name a file with --config"
            )
        raw = file.read(LARGEST + 1)
    if len(raw) > LARGEST:
        raise ConfigurationError(
            f"{path} has more than {LARGEST >> 20} MiB, as no configuration has",
            hint="name the file with --config",
        )
    return raw


def _open_at_once(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """Return `; did you mean 'x'?` for the nearest known word, or nothing."""
    import difflib  # noqa: PLC0415  for this mistake only

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f"; did you mean '{near[0]}'?" if near else ""
