"""The nodes of a build: the plan's graph with what each step does."""

from __future__ import annotations

from functools import partial

from immutable_base.build.export import export_image
from immutable_base.build.graph import BuildGraph, ImageStep, LayerStep, ModuleStep
from immutable_base.build.inputs import BuildInputs
from immutable_base.build.modules import build_module, take_module
from immutable_base.build.packages import fetch_packages
from immutable_base.build.steps import Build, build_image, build_layer
from immutable_base.model.plan import KERNEL_LAYER, BasePlan
from immutable_base.process import LineSink
from immutable_base.schedule import Node
from immutable_base.tools import buildah

FETCH = "fetch"
COSTS = {"base": 60.0, KERNEL_LAYER: 60.0, "zfs": 40.0, "nvidia": 60.0}
"""Seconds on two cores, to start with what takes longest."""
MODULE_COST = 400.0


def build_nodes(inputs: BuildInputs, graph: BuildGraph) -> tuple[Build, tuple[Node, ...]]:
    """Return a build and its nodes: fetch, base:*, module:*, layer:*, image:* and export:<variant>.

    Pure: nothing happens before the nodes run.
    """
    build = Build(inputs=inputs, graph=graph)
    nodes = [_fetch_node(build), *(_base_node(build, *found) for found in _bases(graph).values())]
    nodes += [_module_node(build, step) for step in graph.modules]
    nodes += [_layer_node(build, step) for step in graph.layers]
    nodes += [_image_node(build, step) for step in graph.images]
    nodes += [_export_node(build, step) for step in graph.images]
    return build, tuple(nodes)


def _bases(graph: BuildGraph) -> dict[str, tuple[BasePlan, tuple[str, ...]]]:
    found: dict[str, tuple[BasePlan, tuple[str, ...]]] = {}
    compiled = graph.modules if graph.compiles else ()
    needed: list[tuple[BasePlan, tuple[str, ...]]] = [
        (step.variant.base, (step.variant.name,)) for step in graph.images
    ]
    needed += [(step.base, step.variants) for step in compiled]
    for base, variants in needed:
        known = found.get(base.pinned, (base, ()))[1]
        found[base.pinned] = (base, tuple(dict.fromkeys((*known, *variants))))
    return found


def _base_id(base: BasePlan) -> str:
    # By digest: two references may name one image, and one that moved may name two.
    return f"base:{base.pinned}"


def _fetch_node(build: Build) -> Node:
    graph, packages = build.graph, build.graph.packages

    def action(report: LineSink) -> str:
        build.store = fetch_packages(build.inputs, packages, graph.keys, report)
        missing = len(build.store.failures)
        size = sum(package.size for package in packages) / 1e6
        return f"{missing} of {len(packages)} cannot be used" if missing else f"{size:.0f} MB"

    title = f"fetch {len(packages)} packages"
    return Node(id=FETCH, title=title, action=action, variants=graph.variants, cost=30)


def _base_node(build: Build, base: BasePlan, variants: tuple[str, ...]) -> Node:
    inputs = build.inputs

    def action(report: LineSink) -> None:
        report(base.pinned)
        buildah.pull(inputs.storage, base.pinned, inputs.tls.environment)

    title = f"base {base.reference.rpartition('/')[2]}"
    return Node(id=_base_id(base), title=title, action=action, variants=variants, cost=20)


def _module_node(build: Build, step: ModuleStep) -> Node:
    what = f"{step.module.name} {step.module.version} for {step.kernel}"
    if not build.graph.compiles:
        action = partial(take_module, build, step)
        return Node(id=step.id, title=f"take {what}", action=action, variants=step.variants)
    return Node(
        id=step.id,
        title=f"compile {what}",
        action=partial(build_module, build, step),
        needs=(FETCH, _base_id(step.base)),
        variants=step.variants,
        cost=MODULE_COST,
    )


def _layer_node(build: Build, step: LayerStep) -> Node:
    kernel = f", kernel {step.kernel}" if step.kernel else ""
    below = step.parent or _base_id(step.base)
    return Node(
        id=step.id,
        title=f"layer {step.layer.name} ({step.stream}{kernel})",
        action=partial(build_layer, build, step),
        needs=(FETCH, below, *step.modules),
        variants=step.variants,
        cost=COSTS.get(step.layer.name, 60.0),
    )


def _image_node(build: Build, step: ImageStep) -> Node:
    return Node(
        id=step.id,
        title=f"image {step.variant.name}",
        action=partial(build_image, build, step),
        needs=(step.parent or _base_id(step.variant.base),),
        variants=(step.variant.name,),
        cost=10,
    )


def _export_node(build: Build, step: ImageStep) -> Node:
    return Node(
        id=f"export:{step.variant.name}",
        title=f"export {step.variant.name}",
        action=partial(export_image, build, step),
        needs=(step.id,),
        variants=(step.variant.name,),
        cost=20,
    )
