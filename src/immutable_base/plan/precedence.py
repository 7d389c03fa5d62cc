"""Which packages of vendors' repositories a transaction does not see.

NVIDIA's repository carries several branches of the driver, and what requires a part of it without a
version would get the newest. Vendors also carry copies of each other's packages.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from immutable_base.solver.pool import Listed, PackagePool


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
    module, layer = _listed(pool, origins.module), _listed(pool, origins.layer)
    exact = {item.name for item in module if version is not None and item.version == version}
    hidden = {
        item.id for item in (*module, *layer) if item.name in exact and item.version != version
    }
    own = {item.name for item in layer} - exact
    hidden |= {item.id for item in module if item.name in own}
    asked = own & set(packages)
    hidden |= {item.id for name in asked for item in pool.named(name, origins.stream)}
    return frozenset(hidden)


def _listed(pool: PackagePool, repositories: Iterable[str]) -> tuple[Listed, ...]:
    return tuple(item for name in repositories for item in pool.listed(name))
