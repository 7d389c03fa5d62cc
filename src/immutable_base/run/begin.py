"""How a run begins: with nothing of an earlier one, and with a plan."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

from immutable_base.context import Context
from immutable_base.documents import PLAN
from immutable_base.model.plan import Plan
from immutable_base.plan.make import make_plan
from immutable_base.run.previous import set_aside
from immutable_base.schedule import Observer, observed

PLAN_NODE = "plan"


def start_clean(context: Context) -> None:
    """Remove what an earlier run left, killed or not; no cache survives it."""
    set_aside(context)
    shutil.rmtree(context.run_folder, ignore_errors=True)
    forget_mounts(context)
    context.run_folder.mkdir(parents=True, exist_ok=True)


def forget_mounts(context: Context) -> None:
    """Let containers-storage start without mounts.

    What was killed took its mounts with it (it lived in a mount namespace of its own), but
    containers-storage still counts them in its run folder.
    """
    shutil.rmtree(context.storage.run_root, ignore_errors=True)


def begin(context: Context, variants: Sequence[str], observer: Observer) -> Plan:
    """Make the plan that everything of this run rests on, and write it."""
    with observed(observer, PLAN_NODE), context.open_plan_inputs() as inputs:
        plan = make_plan(inputs, variants)
    context.documents.write(PLAN, plan)
    return plan
