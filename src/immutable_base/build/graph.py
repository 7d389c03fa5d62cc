"""Which modules, layers and images a plan needs, each of them once: pure, from the plan alone."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass

from immutable_base.model.plan import (
    KERNEL_LAYER,
    LOCAL,
    BasePlan,
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

    modules: tuple[ModuleStep, ...]
    layers: tuple[LayerStep, ...]
    images: tuple[ImageStep, ...]

    @property
    def packages(self) -> tuple[Package, ...]:
        """Every package to fetch, once, sorted."""
        wanted = {
            package.sha256: package
            for packages in (
                *(step.module.builder for step in self.modules),
                *(step.layer.install for step in self.layers),
            )
            for package in packages
            if package.repository != LOCAL
        }
        return tuple(
            sorted(wanted.values(), key=lambda package: (package.file_name, package.sha256))
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
        modules=tuple(modules.values()), layers=tuple(layers.values()), images=tuple(images)
    )


def _chosen(variant: VariantPlan) -> str:
    if variant.kernel.chosen is None:
        raise ValueError(f"the plan says 'build' for {variant.name}, but names no kernel")
    return variant.kernel.chosen


def module_id(variant: VariantPlan, module: ModulePlan) -> str:
    """Return the id of the step that compiles a module for a variant's kernel."""
    return f"module:{variant.stream}:{module.name}-{module.version}:{_chosen(variant)}"


def _add_module(steps: dict[str, ModuleStep], variant: VariantPlan, module: ModulePlan) -> None:
    key = module_id(variant, module)
    known = steps.get(key)
    if known is not None and (known.module != module or known.base.digest != variant.base.digest):
        raise ValueError(f"{key}: {variant.name} and {known.variants[0]} plan it differently")
    steps[key] = ModuleStep(
        id=key,
        module=module,
        stream=variant.stream,
        base=variant.base,
        kernel=_chosen(variant),
        variants=(*(known.variants if known else ()), variant.name),
    )


def _add_layer(
    steps: dict[str, LayerStep], variant: VariantPlan, index: int, parent: str | None
) -> str:
    layer = variant.layers[index]
    local = {package.name for package in layer.install if package.repository == LOCAL}
    modules = tuple(module_id(variant, m) for m in variant.modules if m.kmod.name in local)
    kernel = _chosen(variant) if modules or layer.name == KERNEL_LAYER else None
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
