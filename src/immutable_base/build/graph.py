"""Which modules, layers and images a plan needs, each of them once: pure, from the plan alone."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection
from dataclasses import dataclass

from immutable_base.errors import ConfigurationError
from immutable_base.model.module_signer import ModuleSigner
from immutable_base.model.plan import (
    KERNEL_LAYER,
    LOCAL,
    BasePlan,
    KeyPlan,
    LayerPlan,
    ModulePlan,
    Package,
    Plan,
    VariantPlan,
    Verdict,
)

PREFIX = "localhost/immutable-base"
"""Of every image name in our storage."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleStep:
    """A module to compile for one kernel, shared by every variant of the stream on it."""

    id: str
    module: ModulePlan
    stream: str
    base: BasePlan
    kernel: str
    signer: ModuleSigner | None = None
    """None: its modules are not signed."""
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class LayerStep:
    """A layer on a parent, shared by every variant with the same stack so far."""

    id: str
    tag: str
    layer: LayerPlan
    stream: str
    base: BasePlan
    kernel: str | None
    """For layers that depend on it; the base layer of a stream serves every kernel."""
    parent: str | None
    """Step below; None: the base image."""
    modules: tuple[str, ...]
    """Steps whose packages the layer installs."""
    variants: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageStep:
    """A variant: its topmost layer with its labels."""

    id: str
    tag: str
    variant: VariantPlan
    parent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildGraph:
    """Everything that a plan needs."""

    modules: tuple[ModuleStep, ...] = ()
    layers: tuple[LayerStep, ...] = ()
    images: tuple[ImageStep, ...] = ()
    compiles: bool = True
    """False: the packages of `modules` are here, made by an earlier build of the same plan."""
    keys: tuple[KeyPlan, ...] = ()
    """What packages must be signed with."""

    @property
    def packages(self) -> tuple[Package, ...]:
        """Every package to fetch, once, sorted."""
        wanted = {
            package.required: package
            for packages in (
                *(step.module.builder for step in self.modules if self.compiles),
                *(step.layer.install for step in self.layers),
            )
            for package in packages
            if package.repository != LOCAL
        }
        return tuple(
            sorted(wanted.values(), key=lambda package: (package.file_name, str(package.required)))
        )

    @property
    def signers(self) -> tuple[ModuleSigner, ...]:
        """Who has to sign modules that are compiled here, each once."""
        signers = [step.signer for step in self.modules if step.signer and self.compiles]
        return tuple(dict.fromkeys(signers))

    @property
    def variants(self) -> tuple[str, ...]:
        """Names of the variants that need anything of it, each once."""
        names = [step.variant.name for step in self.images]
        names += [name for step in self.modules for name in step.variants]
        return tuple(dict.fromkeys(names))

    def only_modules(self, name: str, kernel: str | None) -> BuildGraph:
        """Return the part that compiles one module, for every kernel or for one.

        Raises ConfigurationError if the plan compiles no such module.
        """
        found = tuple(
            step
            for step in self.modules
            if step.module.name == name and kernel in (None, step.kernel)
        )
        if not found:
            planned = sorted(f"{step.module.name} for {step.kernel}" for step in self.modules)
            raise ConfigurationError(
                f"the plan compiles no module '{name}'" + (f" for {kernel}" if kernel else ""),
                hint=f"it compiles: {', '.join(planned) or 'none'}",
            )
        return BuildGraph(modules=found, keys=self.keys)

    def only_modules_of(self, name: str, variant: str) -> BuildGraph:
        """Return the part that compiles one module for the kernel of a variant.

        It is empty if an earlier variant needs the same package: machines that are asked for a
        variant each then compile nothing twice.
        """
        step = self.step_of(name, variant)
        found = (step,) if step.variants[0] == variant else ()
        return BuildGraph(modules=found, keys=self.keys)

    def step_of(self, name: str, variant: str) -> ModuleStep:
        """Return the step that compiles a module for the kernel of a variant.

        Raises ConfigurationError if the plan compiles no such module for it.
        """
        for step in self.modules:
            if step.module.name == name and variant in step.variants:
                return step
        raise ConfigurationError(
            f"the plan compiles no module '{name}' for '{variant}'",
            hint="modules of a variant: `modules` in plan.json",
        )

    def only_images(self, variants: Collection[str]) -> BuildGraph:
        """Return the part that makes these variants' images, from kmod packages that are here."""

        def wanted(step: ModuleStep | LayerStep) -> bool:
            return not set(step.variants).isdisjoint(variants)

        return BuildGraph(
            modules=tuple(filter(wanted, self.modules)),
            layers=tuple(filter(wanted, self.layers)),
            images=tuple(step for step in self.images if step.variant.name in variants),
            compiles=False,
            keys=self.keys,
        )


def image_tag(variant: str) -> str:
    """Return the name of a variant's finished image in our storage."""
    return f"{PREFIX}/{variant}:built"


def build_graph(plan: Plan) -> BuildGraph:
    """Return what the plan's variants need; those on hold need nothing."""
    variants = [variant for variant in plan.variants if variant.verdict is Verdict.BUILD]
    modules: dict[str, ModuleStep] = {}
    layers: dict[str, LayerStep] = {}
    images = []
    for variant in variants:
        for module in variant.modules:
            _add_module(modules, variant, module)
        parent = None
        for index in range(len(variant.layers)):
            parent = _add_layer(layers, variant, index, parent)
        tag = image_tag(variant.name)
        images.append(
            ImageStep(id=f"image:{variant.name}", tag=tag, variant=variant, parent=parent)
        )
    return BuildGraph(
        modules=tuple(modules.values()),
        layers=tuple(layers.values()),
        images=tuple(images),
        keys=plan.keys,
    )


def _add_module(steps: dict[str, ModuleStep], variant: VariantPlan, module: ModulePlan) -> None:
    key = variant.module_id(module)
    known = steps.get(key)
    if known is not None and (known.module != module or known.base.digest != variant.base.digest):
        raise ValueError(f"{key}: {variant.name} and {known.variants[0]} plan it differently")
    steps[key] = ModuleStep(
        id=key,
        module=module,
        stream=variant.stream,
        base=variant.base,
        kernel=variant.kernel_release,
        signer=variant.module_signer,
        variants=(*(known.variants if known else ()), variant.name),
    )


def _add_layer(
    steps: dict[str, LayerStep], variant: VariantPlan, index: int, parent: str | None
) -> str:
    layer = variant.layers[index]
    local = {package.name for package in layer.install if package.repository == LOCAL}
    modules = tuple(variant.module_id(m) for m in variant.modules if m.kmod.name in local)
    kernel = variant.kernel_release if modules or layer.name == KERNEL_LAYER else None
    # The tag is a hash of the layer's inputs, because buildah records it in the image's history.
    inputs = [variant.base.pinned, parent, kernel, layer.model_dump(mode="json")]
    mark = hashlib.sha256(json.dumps(inputs, sort_keys=True).encode()).hexdigest()[:12]
    key = f"layer:{variant.stream}:{layer.name}:{mark}"
    known = steps.get(key)
    steps[key] = LayerStep(
        id=key,
        tag=f"{PREFIX}/layer/{layer.name}:{mark}",
        layer=layer,
        stream=variant.stream,
        base=variant.base,
        kernel=kernel,
        parent=parent,
        modules=modules,
        variants=(*(known.variants if known else ()), variant.name),
    )
    return key
