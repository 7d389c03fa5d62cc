"""One stream's variants: kernel, modules and layers, solved on what the base image really holds."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field

from immutable_base.config.schema import Settings, Variant
from immutable_base.model.plan import (
    KERNEL_LAYER,
    KernelAction,
    KernelPlan,
    LayerPlan,
    ModulePlan,
    Package,
    PlannedPackage,
    SkippedRepository,
    VariantPlan,
    Verdict,
)
from immutable_base.plan import candidates, kernel, modules, verdicts
from immutable_base.plan.base_image import Base
from immutable_base.plan.compat import Ledger
from immutable_base.plan.modules import Maximum, ModuleSource
from immutable_base.plan.published import Published, forbid_rollback, new_pool_features
from immutable_base.plan.requests import Requests
from immutable_base.solver.order import EvrOrder
from immutable_base.solver.pool import PackagePool
from immutable_base.solver.transaction import (
    InstalledNewerError,
    Transaction,
    TransactionRequest,
    solve,
)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamFacts:
    """What was read from outside for one stream."""

    base: Base
    pool: PackagePool
    ledger: Ledger
    maximum: Maximum
    published: Mapping[str, Published]
    """The last image of each variant that has modules."""
    skipped: tuple[SkippedRepository, ...] = ()


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

    def __init__(self, settings: Settings, stream: str, facts: StreamFacts) -> None:
        self._settings = settings
        self._stream = stream
        self._facts = facts
        self._base = facts.base
        self._pool = facts.pool
        self._order = EvrOrder()
        self._repositories = settings.streams[stream].repositories
        self._kernel_set = candidates.installed_set(facts.base, settings.kernel)
        self._requests = Requests(
            settings=settings,
            pool=facts.pool,
            repositories=self._repositories,
            kernel_set=self._kernel_set,
        )
        self._solved: dict[tuple[tuple[int, ...], TransactionRequest], Transaction] = {}
        self._sources: dict[str, ModuleSource] = {}
        self._built: dict[tuple[str, str], BuiltModule] = {}

    def plan(self, name: str) -> VariantPlan:
        """Return the plan of one variant.

        Raises ImmutableBaseError if its packages cannot be fetched or do not fit together.
        """
        variant = self._settings.variants[name]
        sources = self._module_sources(variant)
        warnings = self._against_published(name, sources)
        decision = self._decide(sources)
        try:
            return self._planned(name, sources, decision, warnings)
        except InstalledNewerError as error:
            # What only other variants use says nothing of this one.
            used = self._settings.repositories_of(variant)
            skipped = [item for item in self._facts.skipped if item.id in used]
            reasons = verdicts.newer_than_offered(error, skipped)
            return verdicts.held(self._settings, name, self._base, reasons, warnings)

    def _against_published(self, name: str, sources: tuple[ModuleSource, ...]) -> tuple[str, ...]:
        if not sources:
            return ()
        published = self._facts.published[name]
        unknown = forbid_rollback(published, sources, self._order)
        return (*unknown, *new_pool_features(published, sources))

    def _planned(
        self,
        name: str,
        sources: tuple[ModuleSource, ...],
        decision: kernel.Decision,
        warnings: tuple[str, ...],
    ) -> VariantPlan:
        chosen = decision.plan
        built: dict[str, BuiltModule] = {}
        layers: list[LayerPlan] = []
        if chosen.chosen is not None:
            built = {source.name: self._build(source, chosen) for source in sources}
            layers = self._layers(self._settings.variants[name], chosen, built)
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
            warnings=warnings,
        )

    def _module_sources(self, variant: Variant) -> tuple[ModuleSource, ...]:
        names = [self._settings.layers[layer].module for layer in variant.layers]
        return tuple(self._source(name) for name in names if name)

    def _source(self, name: str) -> ModuleSource:
        if name not in self._sources:
            module = self._settings.modules[name]
            self._sources[name] = modules.find_source(
                self._pool, name, module, module.repositories, self._facts.maximum
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
            known_break=modules.known_break(sources, self._facts.ledger, self._order),
            policy=candidates.kernel_policy(policy, self._kernel_set),
        )
        return kernel.decide(constraints, self._order)

    def _build(self, source: ModuleSource, chosen: KernelPlan) -> BuiltModule:
        """Solve what a module's builder installs, once for each kernel."""
        release = chosen.chosen or ""
        if (source.name, release) not in self._built:
            request = self._requests.builder(source, chosen)
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
                self._add(stack, KERNEL_LAYER, self._requests.kernel(chosen), {})
                swap = False
            module = built[layer.module] if layer.module else None
            request = self._requests.layer(
                name, module.source if module else None, module.kmod if module else None
            )
            self._add(stack, name, request, {module.kmod: module.plan.kmod} if module else {})
        return stack.layers

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

    def _packages(self, numbers: tuple[int, ...]) -> tuple[Package, ...]:
        return tuple(self._pool.package(self._pool.solvable(n)) for n in numbers)

    def _nevras(self, numbers: tuple[int, ...]) -> tuple[str, ...]:
        return tuple(package.nevra for package in self._packages(numbers))


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
