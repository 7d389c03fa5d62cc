"""One stream's variants: kernel, modules and layers, solved on what the base image really holds."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field, replace

from immutable_base.config.schema import Module, Settings, Variant
from immutable_base.model.plan import (
    KERNEL_LAYER,
    KernelAction,
    KernelPlan,
    LayerPlan,
    ModulePlan,
    Package,
    PlannedPackage,
    VariantPlan,
    Verdict,
)
from immutable_base.plan import candidates, kernel, modules
from immutable_base.plan.base_image import Base
from immutable_base.plan.compat import Ledger
from immutable_base.plan.modules import Maximum, ModuleSource
from immutable_base.solver.order import EvrOrder
from immutable_base.solver.pool import PackagePool
from immutable_base.solver.transaction import Transaction, TransactionRequest, solve

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltModule:
    """A planned module, and the promised package in the pool."""

    plan: ModulePlan
    source: ModuleSource
    kmod: int


@dataclass(slots=True)
class _Stack:
    """Layers so far, and what is installed on top of them."""

    state: tuple[int, ...]
    epoch: int
    layers: list[LayerPlan] = field(default_factory=list)


class StreamPlanner:
    """Plans the variants of one stream; what they share is solved once."""

    def __init__(
        self,
        settings: Settings,
        stream: str,
        base: Base,
        pool: PackagePool,
        ledger: Ledger,
        maximum: Maximum,
    ) -> None:
        self._settings = settings
        self._stream = stream
        self._base = base
        self._pool = pool
        self._ledger = ledger
        self._maximum = maximum
        self._order = EvrOrder()
        self._repositories = settings.streams[stream].repositories
        self._kernel_set = candidates.installed_set(base, settings.kernel)
        self._solved: dict[tuple[tuple[int, ...], TransactionRequest], Transaction] = {}
        self._sources: dict[str, ModuleSource] = {}
        self._built: dict[tuple[str, str], BuiltModule] = {}

    def plan(self, name: str) -> VariantPlan:
        """Return the plan of one variant.

        Raises ImmutableBaseError if its packages cannot be fetched or do not fit together.
        """
        variant = self._settings.variants[name]
        sources = self._module_sources(variant)
        decision = self._decide(sources)
        chosen = decision.plan
        built: dict[str, BuiltModule] = {}
        layers: list[LayerPlan] = []
        if chosen.chosen is not None:
            built = {source.name: self._build(source, chosen) for source in sources}
            layers = self._layers(variant, chosen, built)
        return VariantPlan(
            name=name,
            stream=self._stream,
            verdict=Verdict.HOLD if chosen.chosen is None else Verdict.BUILD,
            base=self._base.plan,
            kernel=chosen,
            modules=tuple(item.plan for item in built.values()),
            layers=tuple(layers),
            packages=_listed(layers),
            reasons=decision.reasons,
        )

    def _module_sources(self, variant: Variant) -> tuple[ModuleSource, ...]:
        names = [self._settings.layers[layer].module for layer in variant.layers]
        return tuple(self._source(name) for name in names if name)

    def _source(self, name: str) -> ModuleSource:
        if name not in self._sources:
            module = self._settings.modules[name]
            self._sources[name] = modules.find_source(
                self._pool, name, module, module.repositories, self._maximum
            )
        return self._sources[name]

    def _decide(self, sources: tuple[ModuleSource, ...]) -> kernel.Decision:
        policy = self._settings.kernel
        ceilings = [
            kernel.Ceiling(module=s.name, version=s.package.version, maximum=s.maximum)
            for s in sources
            if s.maximum is not None
        ]
        constraints = kernel.KernelConstraints(
            image_release=self._base.kernel.release,
            image_evr=self._base.kernel.evr,
            candidates=candidates.find_candidates(
                self._pool, self._repositories, policy, self._kernel_set.swapped
            ),
            ceilings=ceilings,
            modules=tuple(source.name for source in sources),
            known_break=modules.known_break(sources, self._ledger, self._order),
            policy=candidates.kernel_policy(policy, self._kernel_set),
        )
        return kernel.decide(constraints, self._order)

    def _build(self, source: ModuleSource, chosen: KernelPlan) -> BuiltModule:
        """Solve what a module's builder installs, once for each kernel.

        Where the kernel moves, the builder's moves too: a DKMS package may require a kernel that it
        accepts (zfs-dkms since 2026), and the base image's need not be one.
        """
        release = chosen.chosen or ""
        if (source.name, release) not in self._built:
            module = source.settings
            devel = candidates.devel_for(
                self._pool, self._repositories, self._settings.kernel, release
            )
            request = TransactionRequest(
                title=f"the builder of {source.name}",
                repositories=(*self._repositories, *module.repositories),
                install=(source.solvable, devel),
                names=module.toolchain,
                exclude=self._kernel_names(),
            )
            if chosen.action is not KernelAction.KEEP:
                kernel = self._kernel_request(chosen)
                request = replace(
                    request, install=(*request.install, *kernel.install), erase=kernel.erase
                )
            transaction = self._solve(self._pool.base, request)
            kmod = self._pool.promise(modules.promised_kmod(source, release))
            plan = modules.plan_module(
                source,
                self._pool.package(kmod),
                self._packages(transaction.new),
                self._nevras(transaction.requested),
                request.erase,
                self._base.plan.created,
            )
            self._built[source.name, release] = BuiltModule(plan=plan, source=source, kmod=kmod.id)
        return self._built[source.name, release]

    def _layers(
        self, variant: Variant, chosen: KernelPlan, built: dict[str, BuiltModule]
    ) -> list[LayerPlan]:
        stack = _Stack(self._pool.base, self._base.plan.created)
        swap = chosen.action is not KernelAction.KEEP
        for name in variant.layers:
            layer = self._settings.layers[name]
            if swap and layer.module:
                # Before the first module, after what all variants of the stream share.
                self._add(stack, KERNEL_LAYER, self._kernel_request(chosen), {})
                swap = False
            module = built[layer.module] if layer.module else None
            request = self._layer_request(name, layer.packages, layer.repositories, module)
            self._add(stack, name, request, {module.kmod: module.plan.kmod} if module else {})
        return stack.layers

    def _kernel_request(self, chosen: KernelPlan) -> TransactionRequest:
        evr = chosen.chosen_evr or ""
        return TransactionRequest(
            title=f"the kernel {chosen.chosen}",
            repositories=self._repositories,
            install=tuple(self._exact(name, evr) for name in self._kernel_set.swapped),
            erase=self._kernel_set.erased,
        )

    def _layer_request(
        self,
        name: str,
        packages: tuple[str, ...],
        extra: tuple[str, ...],
        module: BuiltModule | None,
    ) -> TransactionRequest:
        repositories = (*self._repositories, *extra)
        install: list[int] = []
        if module is not None:
            repositories += module.source.settings.repositories
            install.append(module.kmod)
        names = []
        for package in packages:
            exact = module and modules.exact_userspace(
                self._pool, package, module.source, repositories
            )
            if exact:
                install.append(exact.id)
            else:
                names.append(package)
        return TransactionRequest(
            title=f"layer {name}",
            repositories=tuple(dict.fromkeys(repositories)),
            install=tuple(install),
            names=tuple(names),
            # Neither a second kernel nor a package that would compile on the host may slip in as
            # a dependency.
            exclude=self._kernel_names() | self._source_packages(),
        )

    def _add(
        self, stack: _Stack, name: str, request: TransactionRequest, promised: dict[int, Package]
    ) -> None:
        transaction = self._solve(stack.state, request)
        install = tuple(
            promised[number] if number in promised else self._packages((number,))[0]
            for number in transaction.new
        )
        new = {package.name for package in install}
        gone = {self._pool.solvable(number).name for number in transaction.removed}
        stack.epoch = max([stack.epoch, *(package.build_time for package in install)])
        stack.state = transaction.state
        stack.layers.append(
            LayerPlan(
                name=name,
                request=self._nevras(transaction.requested),
                install=install,
                erase=tuple(sorted(request.erase)),
                obsoleted=tuple(sorted(gone - new - request.erase)),
                source_date_epoch=stack.epoch,
            )
        )

    def _solve(self, state: tuple[int, ...], request: TransactionRequest) -> Transaction:
        if (state, request) not in self._solved:
            self._solved[state, request] = solve(self._pool, state, request)
        return self._solved[state, request]

    def _exact(self, name: str, evr: str) -> int:
        """Return the id of a package of the stream that is known to be there."""
        offered = self._pool.named(name, self._repositories)
        return next(item.id for item in offered if item.evr == evr)

    def _packages(self, numbers: tuple[int, ...]) -> tuple[Package, ...]:
        return tuple(self._pool.package(self._pool.solvable(n)) for n in numbers)

    def _nevras(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(package.nevra for package in self._packages(numbers))

    def _kernel_names(self) -> frozenset[str]:
        policy = self._settings.kernel
        return frozenset((*policy.packages, *policy.optional_packages))

    def _source_packages(self) -> frozenset[str]:
        all_modules: list[Module] = list(self._settings.modules.values())
        return frozenset(module.source_package for module in all_modules)


def _listed(layers: list[LayerPlan]) -> tuple[PlannedPackage, ...]:
    found = [
        PlannedPackage(
            name=package.name,
            evr=package.evr,
            arch=package.arch,
            repository=package.repository,
            layer=layer.name,
        )
        for layer in layers
        for package in layer.install
    ]
    return tuple(sorted(found, key=lambda item: (item.name, item.evr, item.arch, item.layer)))
