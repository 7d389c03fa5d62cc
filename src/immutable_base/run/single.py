"""One stage by itself, on documents that earlier ones left: the same steps as inside a run."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace

from immutable_base.build.graph import BuildGraph, build_graph
from immutable_base.build.nodes import build_nodes
from immutable_base.context import Context
from immutable_base.errors import exit_code_of
from immutable_base.log import log_to_file
from immutable_base.model.plan import Plan, VariantPlan, Verdict
from immutable_base.model.stage import StageReport, StageResult
from immutable_base.run.begin import forget_mounts
from immutable_base.run.build_inputs import build_inputs_of
from immutable_base.run.failures import error_text, record_failures
from immutable_base.run.stages import Stages, stage_lanes, stage_nodes
from immutable_base.schedule import Node, NodeOutcome, Observer, run_nodes
from immutable_base.tools import buildah
from immutable_base.workspace import exclusive

BUILD = "build"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What of a plan a stage is asked for."""

    variants: Collection[str] = ()
    """Empty: all."""
    module: str | None = None
    """Of a build: only this module's packages."""
    kernel: str | None = None
    """Of a module: only for this kernel (`uname -r`)."""
    kernel_of: str | None = None
    """Of a module: only for the kernel of this variant, unless an earlier one needs the same."""
    candidate: bool = False
    """Of a build: leave the images in the registry, for other machines."""


def run_stage(
    context: Context, stage: str, selection: Selection, *, observer: Observer, workers: int
) -> StageReport:
    """Run one stage for each selected variant and return how every step ended.

    A step that failed leaves failed/<step>.json. Raises HostError if another run works in the
    workspace, ConfigurationError if there is no plan, or nothing in it that was asked for.
    """
    with exclusive(context.workspace):
        log_to_file(context.logs / f"{stage}.log")
        forget_mounts(context)
        whole = context.documents.plan()
        names = selection.variants or ([selection.kernel_of] if selection.kernel_of else ())
        chosen = [context.documents.variant(name) for name in names]
        plan = whole.model_copy(update={"variants": tuple(chosen or whole.variants)})
        if stage == BUILD:
            nodes = _build_nodes(context, whole, selection)
        else:
            nodes = stage_nodes(Stages(context=context), plan, (stage,))
            nodes = tuple(replace(node, needs=()) for node in nodes)
        outcomes = run_nodes(
            nodes, workers=workers, observer=observer, lanes=stage_lanes(context.settings.boot)
        )
        record_failures(context.documents, nodes, outcomes)
        return StageReport(
            stage=stage,
            documents=str(context.run_folder),
            results=(
                *_results(nodes, outcomes),
                *_compiled_elsewhere(whole, selection),
                *_not_built(plan.variants),
            ),
        )


def _build_nodes(context: Context, plan: Plan, selection: Selection) -> tuple[Node, ...]:
    """Return the nodes of what is selected, on a storage that has base images alone."""
    graph = build_graph(plan)
    if selection.module is not None and selection.kernel_of is not None:
        held = _variant(plan, selection.kernel_of).verdict is not Verdict.BUILD
        graph = (
            BuildGraph() if held else graph.only_modules_of(selection.module, selection.kernel_of)
        )
    elif selection.module is not None:
        graph = graph.only_modules(selection.module, selection.kernel)
    elif selection.variants:
        graph = graph.only_images(selection.variants)
    if not (graph.modules or graph.images):
        return ()
    buildah.clean(context.storage, keep=[variant.base.pinned for variant in plan.variants])
    candidates = context.settings.candidates if selection.candidate else None
    return build_nodes(build_inputs_of(context, graph, candidates=candidates), graph)[1]


def _compiled_elsewhere(plan: Plan, selection: Selection) -> Iterable[StageResult]:
    """Yield why nothing is compiled for a variant: an earlier one needs the same package."""
    name, variant = selection.module, selection.kernel_of
    if name is None or variant is None or _variant(plan, variant).verdict is not Verdict.BUILD:
        return
    step = build_graph(plan).step_of(name, variant)
    if step.variants[0] != variant:
        yield StageResult(
            id=step.id,
            title=f"compile {name} for {variant}",
            variants=(variant,),
            outcome="done",
            message=f"nothing to do: {step.variants[0]} is on {step.kernel} too, and it takes its",
            seconds=0,
            error=None,
            exit_code=0,
        )


def _variant(plan: Plan, name: str) -> VariantPlan:
    return next(variant for variant in plan.variants if variant.name == name)


def _results(nodes: Iterable[Node], outcomes: dict[str, NodeOutcome]) -> Iterable[StageResult]:
    for node in nodes:
        outcome = outcomes[node.id]
        yield StageResult(
            id=node.id,
            title=node.title,
            variants=node.variants,
            outcome=outcome.state,
            message=outcome.message,
            seconds=round(outcome.seconds, 1),
            error=None if outcome.error is None else error_text(outcome.error),
            exit_code=0 if outcome.error is None else exit_code_of(outcome.error),
        )


def _not_built(variants: Iterable[VariantPlan]) -> Iterable[StageResult]:
    """Yield what the plan says of variants that it does not build: held is no error, failed is."""
    for variant in variants:
        if variant.verdict is not Verdict.BUILD:
            held, reason = variant.verdict is Verdict.HOLD, "; ".join(variant.reasons)
            yield StageResult(
                id=f"plan:{variant.name}",
                title=f"plan {variant.name}",
                variants=(variant.name,),
                outcome="held" if held else "failed",
                message=reason if held else "",
                seconds=0,
                error=None if held else reason,
                exit_code=variant.exit_code,
            )
