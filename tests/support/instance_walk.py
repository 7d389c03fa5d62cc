"""The stages of an instance one after the other, in its world."""

import json

from immutable_base.instance.detect import detect_changes
from immutable_base.instance.verbs import carry_out

STAGES = ("build", "check", "sbom", "publish")


def go(world, *stages, forced=False):
    """Decide, and carry these stages out; returns the decision."""
    decision = detect_changes(world.context, forced=forced)
    for stage in stages:
        result = carry_out(world.context, stage, lambda _: None)
    return (decision, result) if stages else decision


def walk(world):
    return go(world, *STAGES)


def rules(decision):
    return [reason.rule for reason in decision.reasons]


def change(world, name, **changes):
    """Change a document on its way, in `base` if it is the decision's."""
    path = world.folder / "workspace/instance" / name
    document = json.loads(path.read_text())
    (document["base"] if name == "decision.json" else document).update(changes)
    path.write_text(json.dumps(document))
