"""What is asked of the solver for each step: kernel, builders, layers."""

from __future__ import annotations

from dataclasses import dataclass, replace

from immutable_base.config.schema import Settings
from immutable_base.model.plan import KernelAction, KernelPlan
from immutable_base.plan import candidates, modules, precedence
from immutable_base.plan.candidates import KernelSet
from immutable_base.plan.modules import ModuleSource
from immutable_base.plan.precedence import Origins
from immutable_base.solver.pool import PackagePool
from immutable_base.solver.transaction import TransactionRequest


@dataclass(frozen=True, slots=True, kw_only=True)
class Requests:
    """Makes the requests of one stream."""

    settings: Settings
    pool: PackagePool
    repositories: tuple[str, ...]
    """Of the stream."""
    kernel_set: KernelSet

    def kernel(self, chosen: KernelPlan) -> TransactionRequest:
        """Ask for a kernel in place of the base image's."""
        evr = chosen.chosen_evr or ""
        return TransactionRequest(
            title=f"the kernel {chosen.chosen}",
            repositories=self.repositories,
            install=tuple(self._exact(name, evr) for name in self.kernel_set.swapped),
            erase=self.kernel_set.erased,
        )

    def builder(self, source: ModuleSource, chosen: KernelPlan) -> TransactionRequest:
        """Ask for what compiles a module.

        Where the kernel moves, the builder's moves too: a DKMS package may require a kernel that it
        accepts (zfs-dkms since 2026), and the base image's need not be one.
        """
        module = source.settings
        devel = candidates.devel_for(
            self.pool, self.repositories, self.settings.kernel, chosen.chosen or ""
        )
        origins = self._origins((), source)
        request = TransactionRequest(
            title=f"the builder of {source.name}",
            repositories=(*self.repositories, *module.repositories),
            install=(source.solvable, devel),
            names=module.toolchain,
            exclude=self._kernel_names(),
            hidden=precedence.hidden_packages(self.pool, origins, (), source.package.version),
        )
        if chosen.action is KernelAction.KEEP:
            return request
        kernel = self.kernel(chosen)
        return replace(request, install=(*request.install, *kernel.install), erase=kernel.erase)

    def layer(self, name: str, source: ModuleSource | None, kmod: int | None) -> TransactionRequest:
        """Ask for a layer's packages; `kmod` is the id of its module's, if it has one."""
        layer = self.settings.layers[name]
        origins = self._origins(layer.repositories, source)
        version = source.package.version if source else None
        hidden = precedence.hidden_packages(self.pool, origins, layer.packages, version)
        repositories = (*self.repositories, *layer.repositories)
        if source is not None:
            repositories += source.settings.repositories
        install = [] if kmod is None else [kmod]
        names = []
        for package in layer.packages:
            exact = source and modules.exact_userspace(
                self.pool, package, source, repositories, hidden
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
            hidden=hidden,
        )

    def _origins(self, layer: tuple[str, ...], source: ModuleSource | None) -> Origins:
        own = tuple(name for name in layer if name not in self.repositories)
        module = source.settings.repositories if source else ()
        return Origins(
            stream=self.repositories,
            layer=own,
            module=tuple(name for name in module if name not in {*self.repositories, *own}),
        )

    def _exact(self, name: str, evr: str) -> int:
        """Return the id of a package of the stream that is known to be there."""
        offered = self.pool.named(name, self.repositories)
        return next(item.id for item in offered if item.evr == evr)

    def _kernel_names(self) -> frozenset[str]:
        policy = self.settings.kernel
        return frozenset((*policy.packages, *policy.optional_packages))

    def _source_packages(self) -> frozenset[str]:
        return frozenset(module.source_package for module in self.settings.modules.values())
