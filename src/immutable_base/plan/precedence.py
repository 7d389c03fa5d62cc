"""Which packages of vendors' repositories a transaction does not see.

NVIDIA's repository carries several branches of the driver, and what requires a part of it without a
version would get the newest. Vendors also carry copies of each other's packages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass

from immutable_base.solver.pool import PackagePool


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """The repositories of a layer, by whose they are; none is named twice."""

    stream: tuple[str, ...]
    layer: tuple[str, ...] = ()
    module: tuple[str, ...] = ()


def hidden_packages(
    pool: PackagePool, origins: Origins, packages: Collection[str], version: str | None
) -> frozenset[int]:
    """Return the ids of what a layer does not see; `packages` are the names that it asks for.

    What the module's repositories have at its `version` (without epoch and release) exists at no
    other one: not there, and not in the layer's own. Whatever else the layer's own repositories
    have comes from them, in whichever version: copies in the module's do not count, and of the
    packages asked for none in the stream's.
    """
    exact = {
        name
        for _, name, found in _listed(pool, origins.module)
        if version is not None and found == version
    }
    vendors = (*origins.module, *origins.layer)
    hidden = {
        number
        for number, name, found in _listed(pool, vendors)
        if name in exact and found != version
    }
    own = {name for _, name, _ in _listed(pool, origins.layer)} - exact
    hidden |= {number for number, name, _ in _listed(pool, origins.module) if name in own}
    asked = own & set(packages)
    hidden |= {number for number, name, _ in _listed(pool, origins.stream) if name in asked}
    return frozenset(hidden)


def _listed(pool: PackagePool, repositories: Iterable[str]) -> Iterator[tuple[int, str, str]]:
    """Yield id, name and version (without epoch and release) of every package."""
    for number in pool.ids(repositories):
        solvable = pool.solvable(number)
        yield number, solvable.name, solvable.evr.rpartition(":")[2].rpartition("-")[0]
