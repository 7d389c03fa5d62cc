"""One run, from the plan to moved tags: every stage, in one process, several at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime

from immutable_base.build.graph import build_graph
from immutable_base.build.nodes import build_nodes
from immutable_base.context import Context
from immutable_base.documents import RUN, step_name
from immutable_base.log import log_to_file
from immutable_base.model.plan import Plan, VariantPlan, Verdict
from immutable_base.model.run import NodeResult, RunReport
from immutable_base.process import LineSink
from immutable_base.run.begin import begin, start_clean
from immutable_base.run.build_inputs import build_inputs_of, require_module_key
from immutable_base.run.failures import record_failures
from immutable_base.run.outcomes import variant_result
from immutable_base.run.previous import difference
from immutable_base.run.publisher import publisher_of
from immutable_base.run.results import stage_results
from immutable_base.run.stages import Stages, stage_lanes, stage_nodes
from immutable_base.schedule import Node, NodeOutcome, Observer, run_nodes
from immutable_base.tools import buildah
from immutable_base.workspace import exclusive

LOG = "run.log"
"""The run's own log, beside those of its nodes."""


def run_variants(
    context: Context, *, variants: Sequence[str], observer: Observer, workers: int
) -> RunReport:
    """Plan, build, check, sign, verify and publish; return how each variant ended.

    Everything that an earlier run left in the workspace is removed first, except base images (named
    by digest) and metadata (named by checksum).

    Raises HostError if another run works in the workspace, ConfigurationError without a token,
    or without the key that modules are to be signed with.
    """
    with exclusive(context.workspace):
        start_clean(context)
        log_to_file(context.logs / LOG)
        # A run is long: a token that cannot sign is reported before it, not after.
        publisher_of(context).token()
        require_module_key(context, variants)
        started, clock = datetime.now(UTC), time.monotonic()
        plan = begin(context, variants, observer)
        buildah.clean(context.storage, keep=[variant.base.pinned for variant in plan.variants])
        nodes = run_graph(context, plan)
        outcomes = run_nodes(
            nodes, workers=workers, observer=observer, lanes=stage_lanes(context.settings.boot)
        )
        record_failures(context.documents, nodes, outcomes)
        report = RunReport(
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - clock, 1),
            documents=str(context.run_folder),
            variants=tuple(
                variant_result(variant, nodes, outcomes, stage_results(context.documents, variant))
                for variant in plan.variants
            ),
            nodes=tuple(node_result(context, node, outcomes[node.id]) for node in nodes),
        )
        context.documents.write(RUN, report)
        return report


def run_graph(context: Context, plan: Plan) -> tuple[Node, ...]:
    """Return every node of a run: the build, each variant's stages, and the comparison."""
    graph = build_graph(plan)
    _build, built = build_nodes(build_inputs_of(context, graph), graph)
    compared = [
        _compare_node(context, variant)
        for variant in plan.variants
        if variant.verdict is Verdict.BUILD
    ]
    return (*built, *stage_nodes(Stages(context=context), plan), *compared)


def _compare_node(context: Context, variant: VariantPlan) -> Node:
    def action(_report: LineSink) -> str:
        found = difference(context, variant)
        return f"differs from the last image of the same plan: {found}" if found else ""

    return Node(
        id=f"compare:{variant.name}",
        title=f"compare {variant.name} with the last run's",
        action=action,
        needs=(f"export:{variant.name}",),
        variants=(variant.name,),
    )


def node_result(context: Context, node: Node, outcome: NodeOutcome) -> NodeResult:
    """Return how a node ended, and where its log is."""
    log_file = context.logs / f"{step_name(node.id)}.log"
    return NodeResult(
        id=node.id,
        title=node.title,
        outcome=outcome.state,
        seconds=round(outcome.seconds, 1),
        log=str(log_file if log_file.is_file() else context.logs / LOG),
    )
