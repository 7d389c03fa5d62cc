"""What each command does with an instance, one at a time in a workspace."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from typing import Literal

from immutable_base.instance.build import build_instance
from immutable_base.instance.checks import check_instance, require_sound_instance
from immutable_base.instance.context import InstanceContext
from immutable_base.instance.detect import detect_changes
from immutable_base.instance.inspect import inspect_instance
from immutable_base.instance.instance_documents import CHECK
from immutable_base.instance.proofs import require_own
from immutable_base.instance.publish import publish_instance
from immutable_base.instance.report import recorded
from immutable_base.instance.sbom import make_instance_sbom
from immutable_base.log import log_to_file
from immutable_base.model.check import CheckReport
from immutable_base.model.instance import (
    InstanceBuild,
    InstanceDecision,
    InstanceOutcome,
    InstanceResult,
)
from immutable_base.process import LineSink
from immutable_base.report.run import kibibytes, mebibytes
from immutable_base.workspace import exclusive

DETECT = "detect-changes"
Verb = Literal["build", "check", "sbom", "publish"]


def decide_now(
    at: InstanceContext, *, forced: bool = False, older_base: bool = False
) -> InstanceDecision:
    """Decide, alone in the workspace; raises as `detect_changes`."""
    with exclusive(at.workspace), recorded(at.documents, DETECT):
        return detect_changes(at, forced=forced, older_base=older_base)


def carry_out(
    at: InstanceContext, verb: Verb, report: LineSink, *, candidate: bool = False
) -> InstanceResult:
    """Do one stage on the documents in the workspace, unless the decision is not to build.

    With `candidate` a build leaves the image in the registry, for other machines.

    Raises what the stage raises, ConfigurationError if nothing was decided, HostError if another
    command works in the workspace.
    """
    with exclusive(at.workspace), recorded(at.documents, verb):
        log_to_file(at.documents.folder / f"log/{verb}.log")
        # Mounts that a killed command left in containers-storage's books; it took them with it.
        shutil.rmtree(at.storage.run_root, ignore_errors=True)
        decision = at.documents.decision()
        require_own(at, decision)
        if decision.outcome is not InstanceOutcome.REBUILD:
            outcome: Literal["done", "unchanged", "wait"] = (
                "wait" if decision.outcome is InstanceOutcome.WAIT else "unchanged"
            )
            message = "; ".join(reason.message for reason in decision.reasons)
        else:
            action = partial(_build, candidate=True) if candidate else STAGES[verb]
            outcome, message = "done", action(at, decision, report)
        return InstanceResult(
            stage=verb, outcome=outcome, message=message, documents=str(at.documents.folder)
        )


def _build(
    at: InstanceContext, decision: InstanceDecision, report: LineSink, *, candidate: bool = False
) -> str:
    built = build_instance(at, decision, report, candidate=candidate)
    return f"{built.digest}, {mebibytes(built.size)}"


def _check(at: InstanceContext, _decision: InstanceDecision, report: LineSink) -> str:
    built = at.documents.read(InstanceBuild)
    found = inspect_instance(at, built)
    checked = check_instance(
        found,
        at.product,
        built.labels,
        at.host_trust,
        accepts_everything=at.signing.accept_everything,
        rests_on=at.documents.rests_on(CheckReport),
    )
    path = at.documents.save(checked)
    for finding in checked.findings:
        report(str(finding))
    require_sound_instance(checked, hint=f"all findings: {path}")
    notes = [finding for finding in checked.findings if finding.level == "note"]
    return f"{len(checked.findings)} checks, {len(notes)} notes; see {CHECK}"


def _sbom(at: InstanceContext, decision: InstanceDecision, _report: LineSink) -> str:
    record = make_instance_sbom(at, decision)
    return f"{record.packages} packages, {kibibytes(record.size)}"


def _publish(at: InstanceContext, decision: InstanceDecision, _report: LineSink) -> str:
    publication = publish_instance(at, decision)
    tags = ", ".join(tag.name for tag in publication.tags)
    return f"{publication.status}: {publication.repository}@{publication.digest} as {tags}"


STAGES: dict[Verb, Callable[[InstanceContext, InstanceDecision, LineSink], str]] = {
    "build": _build,
    "check": _check,
    "sbom": _sbom,
    "publish": _publish,
}
"""What each command does; it returns what came out, one line."""
