"""An instance's decision and the results of its commands, as people and GitLab read them."""

from __future__ import annotations

from immutable_base.errors import printable
from immutable_base.model.instance import InstanceDecision, InstanceOutcome, InstanceResult

REBUILD, BASE, DECISION = (
    "IMMUTABLE_BASE_REBUILD", "IMMUTABLE_BASE_BASE", "IMMUTABLE_BASE_DECISION",
)  # fmt: skip
"""Variables that later jobs of a pipeline get. Source: GitLab, `artifacts:reports:dotenv`."""


def decision_text(decision: InstanceDecision) -> str:
    """Return the decision, every reason with its evidence, and what it was made from."""
    lines = [f"{decision.name}: {decision.outcome}"]
    for reason in decision.reasons:
        lines.append(f"  {reason.rule}: {reason.message}")
        lines += [f"    {line}" for line in reason.evidence]
    lines += [f"  note: {note}" for note in decision.notes]
    if decision.base is not None:
        lines += [
            f"base       {decision.base.pinned}",
            f"           {decision.base.reference}, signed by {decision.base.signer}",
        ]
    lines.append(f"commit     {decision.commit}")
    published = decision.published.digest if decision.published else "nothing that counts"
    lines.append(f"published  {published}, in {decision.repository}")
    return "\n".join(map(printable, lines)) + "\n"


def decision_dotenv(decision: InstanceDecision) -> str:
    """Return the variables of a decision, one assignment a line; no value needs quotes."""
    variables = {
        REBUILD: "true" if decision.outcome is InstanceOutcome.REBUILD else "false",
        DECISION: str(decision.outcome),
        BASE: decision.base.pinned if decision.base else "",
    }
    return "".join(f"{name}={value}\n" for name, value in variables.items())


def result_text(result: InstanceResult) -> str:
    """Return what a command did, and where its documents are."""
    head = "done" if result.outcome == "done" else f"not built ({result.outcome})"
    lines = (f"{result.stage}: {head}: {result.message}", f"Documents: {result.documents}")
    return "\n".join(map(printable, lines)) + "\n"
