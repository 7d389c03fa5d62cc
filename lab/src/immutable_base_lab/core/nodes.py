"""Steps of the lab as nodes of one graph: compiling, downloading and packing side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from immutable_base.process import LineSink
from immutable_base.schedule import Node, Observer, run_nodes

LANES: Mapping[str, int] = {"compile": 1, "download": 2, "pack": 1}
"""Lane to the number of its steps that may be under way at once.

Compilers use every core by themselves, one at a time is enough; downloads and packing fill the
gaps beside it.
"""


def make_node(
    name: str,
    action: Callable[[LineSink], None],
    *,
    lane: str,
    needs: tuple[str, ...] = (),
    usual_seconds: float = 0,
) -> Node:
    """Return a step; `usual_seconds` is what it takes on two cores with empty caches."""
    return Node(
        id=name,
        title=name,
        action=action,
        needs=needs,
        cost=usual_seconds,
        usual_seconds=usual_seconds,
        lane=lane,
    )


def run_steps(nodes: Iterable[Node], observer: Observer) -> None:
    """Do every step, each after those that it needs; the first failure ends all and is raised.

    What is needed and not among the steps is done already.
    """
    steps = {node.id: node for node in nodes}
    present = [
        replace(node, needs=tuple(need for need in node.needs if need in steps))
        for node in steps.values()
    ]
    workers = sum(LANES.values())
    run_nodes(present, workers=workers, observer=observer, lanes=LANES, stop_at_failure=True)
