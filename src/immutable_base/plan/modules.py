"""Out-of-tree modules: which source, up to which kernel, and what their builder installs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from immutable_base.config.schema import Module
from immutable_base.errors import PlanError
from immutable_base.image.rpmdb import UNAME_R, Relation
from immutable_base.model.evr import Evr, Nevra
from immutable_base.model.plan import ModulePlan, Package
from immutable_base.plan.compat import CompatVerdict, Ledger, matches
from immutable_base.solver.order import Order
from immutable_base.solver.pool import PackagePool, Promised
from immutable_base.tools import libsolv

Maximum = Callable[[Module, Package], str]
"""Returns what a module's package declares; fetches the package if need be."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleSource:
    """The source package that a module is made from."""

    name: str
    """Key under `modules` in immutable-base.toml."""
    settings: Module
    solvable: int
    package: Package
    maximum: str | None

    @property
    def epoch_version(self) -> str:
        """`[epoch:]version`, as the module's provides and userspace's requires have it."""
        return str(Evr(self.package.epoch, self.package.version))


def find_source(
    pool: PackagePool, name: str, module: Module, repositories: tuple[str, ...], maximum: Maximum
) -> ModuleSource:
    """Return the newest source package of the configured branch.

    Raises PlanError if the repositories have none.
    """
    offered = pool.named(module.source_package, repositories)
    for solvable in offered:
        package = pool.package(solvable)
        if matches(module.branch, package.version):
            return ModuleSource(
                name=name,
                settings=module,
                solvable=solvable.id,
                package=package,
                maximum=maximum(module, package) if module.maximum == "meta" else None,
            )
    others = ", ".join(dict.fromkeys(item.evr for item in offered)) or "none at all"
    raise PlanError(
        f"no {module.source_package} of branch {module.branch} in {', '.join(module.repositories)}",
        details=f"offered: {others}",
        hint=f"choose another modules.{name}.branch",
    )


def known_break(
    sources: tuple[ModuleSource, ...], ledger: Ledger, order: Order
) -> Callable[[str], str | None]:
    """Return a function that tells on which kernels (`version-release`) one of them breaks."""

    def sentence(kernel: str) -> str | None:
        for source in sources:
            package = source.package
            entry = ledger.find(source.name, package.version, package.release, kernel, order)
            if entry is not None and entry.verdict is CompatVerdict.BREAKS:
                return f"known to break {source.name} {package.version}: {entry.evidence}"
        return None

    return sentence


def promised_kmod(source: ModuleSource, release: str) -> Promised:
    """Return the package with the compiled modules, as its builder will make it for a kernel."""
    module = source.settings
    # A dash would end the release; everything else that `uname -r` prints is valid in one.
    mangled = re.sub(r"[^A-Za-z0-9._+~^]", "_", release)
    evr = Evr(source.package.epoch, source.package.version, f"1.{mangled}")
    return Promised(
        nevra=Nevra(module.kmod_package, evr, "x86_64"),
        provides=(Relation(name=module.provides, comparison="=", evr=source.epoch_version),),
        requires=(Relation(name=UNAME_R, comparison="=", evr=release),),
    )


def plan_module(
    source: ModuleSource,
    kmod: Package,
    builder: tuple[Package, ...],
    request: tuple[str, ...],
    erase: frozenset[str],
    created: int,
) -> ModulePlan:
    """Return a module's part of the plan; `created` is the base image's."""
    epoch = max([created, *(package.build_time for package in builder)])
    return ModulePlan(
        name=source.name,
        version=source.package.version,
        maximum=source.maximum,
        source=source.package,
        kmod=kmod.model_copy(update={"build_time": epoch}),
        builder=builder,
        builder_request=request,
        builder_erase=tuple(sorted(erase)),
        source_date_epoch=epoch,
    )


def exact_userspace(
    pool: PackagePool,
    name: str,
    source: ModuleSource,
    repositories: tuple[str, ...],
    hidden: frozenset[int] = frozenset(),
) -> libsolv.Solvable | None:
    """Return the newest build of a package at the module's own version, if it is offered.

    Packages of `hidden` (ids) do not count.

    Userspace and module must not differ: libzfs checks it, NVIDIA's driver refuses to start.
    """
    for solvable in pool.named(name, repositories):
        if solvable.id in hidden:
            continue
        package = pool.package(solvable)
        wanted = (source.package.epoch, source.package.version)
        if (package.epoch, package.version) == wanted:
            return solvable
    return None
