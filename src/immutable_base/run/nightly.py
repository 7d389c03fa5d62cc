"""One run, from the plan to moved tags."""

from __future__ import annotations

import logging
import shutil
import time
from collections.abc import Sequence
from datetime import UTC, datetime

from immutable_base.build.nodes import build_nodes
from immutable_base.context import Context
from immutable_base.log import log_to_file
from immutable_base.model.plan import Plan
from immutable_base.model.publish import Publications
from immutable_base.model.run import NodeResult, RunReport
from immutable_base.plan.make import make_plan
from immutable_base.run.outcomes import variant_result
from immutable_base.run.previous import PLAN, set_aside
from immutable_base.run.stages import VariantStages, stage_nodes
from immutable_base.schedule import Node, NodeOutcome, Observer, observed, run_nodes
from immutable_base.sign import job_token
from immutable_base.tools import buildah
from immutable_base.workspace import exclusive, write_atomically

log = logging.getLogger(__name__)

PLAN_NODE = "plan"
LOG = "run.log"
"""The run's own log, beside those of its nodes."""


def run_variants(
    context: Context, *, variants: Sequence[str], observer: Observer, workers: int
) -> RunReport:
    """Plan, build, check, sign, verify and publish; return how each variant ended.

    Everything that an earlier run left in the workspace is removed first, except base images (named
    by digest) and metadata (named by checksum).

    Raises HostError if another run works in the workspace, ConfigurationError without a token.
    """
    with exclusive(context.workspace):
        _start_clean(context)
        log_to_file(context.logs / LOG)
        # A run is long: a token that cannot sign is reported before it, not after.
        job_token(context.verifier().signer)
        started = datetime.now(UTC)
        clock = time.monotonic()
        with observed(observer, PLAN_NODE), context.open_plan_inputs() as inputs:
            plan = make_plan(inputs, variants)
        write_atomically(context.run_folder / PLAN, plan.to_json())
        buildah.clean(context.storage, keep=[variant.base.pinned for variant in plan.variants])
        stages, nodes, outcomes = _build_and_publish(context, plan, observer, workers)
        report = RunReport(
            started=started.isoformat(timespec="seconds"),
            seconds=round(time.monotonic() - clock, 1),
            documents=str(context.run_folder),
            variants=tuple(
                variant_result(variant, nodes, outcomes, stages.results(variant.name))
                for variant in plan.variants
            ),
            nodes=tuple(_node_result(context, node, outcomes[node.id]) for node in nodes),
        )
        write_atomically(context.run_folder / "run.json", report.to_json())
        return report


def _build_and_publish(
    context: Context, plan: Plan, observer: Observer, workers: int
) -> tuple[VariantStages, tuple[Node, ...], dict[str, NodeOutcome]]:
    build, built = build_nodes(context.build_inputs(), plan)
    stages = VariantStages(context=context, plan=plan)
    nodes = (*built, *stage_nodes(stages))
    outcomes = run_nodes(nodes, workers=workers, observer=observer)
    write_atomically(context.run_folder / "build.json", build.record().to_json())
    publications = Publications(publications=stages.publications())
    write_atomically(context.run_folder / "publish.json", publications.to_json())
    return stages, nodes, outcomes


def _start_clean(context: Context) -> None:
    """Remove what an earlier run left, killed or not; no cache survives it."""
    set_aside(context)
    shutil.rmtree(context.run_folder, ignore_errors=True)
    # A killed run took its mounts with it (it lived in a mount namespace of its own), but
    # containers-storage still counts them in its run folder.
    shutil.rmtree(context.storage.run_root, ignore_errors=True)
    context.run_folder.mkdir(parents=True, exist_ok=True)


def _node_result(context: Context, node: Node, outcome: NodeOutcome) -> NodeResult:
    log_file = context.logs / f"{node.id.replace(':', '_').replace('/', '_')}.log"
    return NodeResult(
        id=node.id,
        title=node.title,
        outcome=outcome.state,
        seconds=round(outcome.seconds, 1),
        log=str(log_file if log_file.is_file() else context.logs / LOG),
    )
