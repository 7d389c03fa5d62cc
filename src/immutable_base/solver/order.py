"""rpm's order of versions, by libsolv; never by `sort -V` and never by comparing texts."""

from __future__ import annotations

from collections.abc import Callable
from functools import cmp_to_key
from typing import Any

from immutable_base.tools import libsolv

Order = Callable[[str, str], int]
"""Compares two `[epoch:]version[-release]`: negative, 0 or positive."""


class EvrOrder:
    """Compares versions in a pool of its own, one empty package for each text ever seen."""

    def __init__(self) -> None:
        self._pool = libsolv.new_pool()
        self._repo = self._pool.add_repo("versions")
        self._known: dict[str, libsolv.Solvable] = {}

    def __call__(self, left: str, right: str) -> int:
        """Return a negative number, 0 or a positive one, as libsolv's evrcmp does."""
        return self._of(left).evrcmp(self._of(right))

    def _of(self, evr: str) -> libsolv.Solvable:
        if evr not in self._known:
            solvable = self._repo.add_solvable()
            solvable.evr = evr
            self._known[evr] = solvable
        return self._known[evr]


def order_key(order: Order) -> Callable[[str], Any]:
    """Return a sort key made of an order."""
    return cmp_to_key(order)


def major_minor(version: str) -> str:
    """Return `6.12` of `6.12.107`, the unit in which modules state their maximum."""
    return ".".join(version.split(".")[:2])
