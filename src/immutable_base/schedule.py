"""A graph of nodes, several at a time; a failure stops only what needs it, or everything."""

from __future__ import annotations

import functools
import graphlib
import logging
import queue
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol

from immutable_base.errors import ImmutableBaseError, host_error
from immutable_base.log import working_on
from immutable_base.process import LineSink, end_all

log = logging.getLogger(__name__)

State = Literal["done", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step of a graph."""

    id: str
    title: str
    """For people."""
    action: Callable[[LineSink], str | None]
    """Does the work; receives where to report lines, returns a final message or None."""
    needs: tuple[str, ...] = ()
    """Nodes that must be done before."""
    variants: tuple[str, ...] = ()
    """Variants that need this node."""
    cost: float = 1.0
    """Rough seconds. Of the nodes that can start, the one with the longest way ahead does."""
    usual_seconds: float = 0.0
    """What people are shown as an estimate; 0 for none."""
    lane: str = ""
    """Nodes of one lane share the places that `run_nodes` gives it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeOutcome:
    """How a node ended."""

    id: str
    state: State
    seconds: float = 0.0
    message: str = ""
    """What the action returned."""
    error: BaseException | None = None
    because: str | None = None
    """For `skipped`: the failed node at the root of it."""


class Observer(Protocol):
    """Receives what happens to nodes, from any thread."""

    def expect(self, node: str, title: str, *, usual_seconds: float = 0) -> None:
        """Name a node that will run later, and how long it usually takes (0: no estimate)."""

    def started(self, node: str) -> None:
        """Report that a node begins."""

    def line(self, node: str, message: str) -> None:
        """Pass on what a node's program just wrote."""

    def finished(self, node: str, state: str, message: str = "") -> None:
        """Report how a node ended."""


@contextmanager
def observed(observer: Observer, node: str) -> Iterator[LineSink]:
    """Show the block as a node of its own; yields where to report lines."""
    observer.expect(node, node)
    observer.started(node)
    try:
        yield functools.partial(observer.line, node)
    except BaseException as error:
        observer.finished(node, "failed", _first_line(error))
        raise
    observer.finished(node, "done")


def run_nodes(
    nodes: Iterable[Node],
    *,
    workers: int,
    observer: Observer,
    lanes: Mapping[str, int] | None = None,
    stop_at_failure: bool = False,
) -> dict[str, NodeOutcome]:
    """Run every node after those that it needs, and return how each one ended.

    `lanes`: how many nodes of a lane run at once; of other lanes as many as there are workers.
    Whatever a node raises is its outcome; with `stop_at_failure` it is raised, programs under way
    are ended and no other node starts. KeyboardInterrupt always does that. Raises ValueError for a
    circle or a need that is no node.
    """
    graph = _Graph(nodes, observer, lanes or {}, stop_at_failure=stop_at_failure)
    with ThreadPoolExecutor(workers, thread_name_prefix="node") as pool:
        try:
            graph.run(pool, workers)
        except BaseException:
            end_all()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return graph.outcomes


class _Graph:
    def __init__(
        self,
        nodes: Iterable[Node],
        observer: Observer,
        lanes: Mapping[str, int],
        *,
        stop_at_failure: bool,
    ) -> None:
        self.nodes = {node.id: node for node in nodes}
        self.observer = observer
        self.places = dict(lanes)
        self.stop_at_failure = stop_at_failure
        self.outcomes: dict[str, NodeOutcome] = {}
        unknown = {need for node in self.nodes.values() for need in node.needs} - set(self.nodes)
        if unknown:
            raise ValueError(f"needed, but no node: {', '.join(sorted(unknown))}")
        self.sorter = graphlib.TopologicalSorter({key: n.needs for key, n in self.nodes.items()})
        self.sorter.prepare()
        self.way = _way_to_the_end(self.nodes)
        for node in self.nodes.values():
            observer.expect(node.id, node.title, usual_seconds=node.usual_seconds)

    def run(self, pool: ThreadPoolExecutor, workers: int) -> None:
        ended: queue.SimpleQueue[NodeOutcome] = queue.SimpleQueue()
        ready: list[str] = []
        running = 0
        while self.sorter.is_active():
            ready += self.sorter.get_ready()
            ready.sort(key=lambda key: (-self.way[key], key))
            while running < workers and (key := self._next(ready)) is not None:
                ready.remove(key)
                if self._is_skipped(key):
                    ready += self.sorter.get_ready()
                    continue
                self._take_place(key, 1)
                future = pool.submit(self._do, self.nodes[key])
                future.add_done_callback(functools.partial(_hand_over, ended, key))
                running += 1
            if running:
                self._end(ended.get())
                running -= 1

    def _next(self, ready: Iterable[str]) -> str | None:
        """Return the first node whose lane has a free place."""
        return next((key for key in ready if self.places.get(self.nodes[key].lane, 1) > 0), None)

    def _take_place(self, key: str, number: int) -> None:
        lane = self.nodes[key].lane
        if lane in self.places:
            self.places[lane] -= number

    def _is_skipped(self, key: str) -> bool:
        """Close a node without running it, if something that it needs did not get done."""
        for need in self.nodes[key].needs:
            outcome = self.outcomes[need]
            if outcome.state != "done":
                root = outcome.because or need
                message = f"needs {self.nodes[root].title}, which failed"
                self.observer.finished(key, "skipped", message)
                self._close(NodeOutcome(id=key, state="skipped", because=root))
                return True
        return False

    def _end(self, outcome: NodeOutcome) -> None:
        error = outcome.error
        if error is not None and (self.stop_at_failure or not isinstance(error, Exception)):
            raise error
        self._take_place(outcome.id, -1)
        self._close(outcome)

    def _close(self, outcome: NodeOutcome) -> None:
        self.outcomes[outcome.id] = outcome
        self.sorter.done(outcome.id)

    def _do(self, node: Node) -> NodeOutcome:
        started = time.monotonic()
        self.observer.started(node.id)
        try:
            with working_on(node.id):
                message = node.action(functools.partial(self.observer.line, node.id)) or ""
        except Exception as raised:
            error = host_error(raised) or raised
            if not isinstance(error, ImmutableBaseError):
                log.debug("%s: not one of our errors", node.id, exc_info=True)
            self.observer.finished(node.id, "failed", _first_line(error))
            seconds = time.monotonic() - started
            return NodeOutcome(id=node.id, state="failed", seconds=seconds, error=error)
        self.observer.finished(node.id, "done", message)
        seconds = time.monotonic() - started
        return NodeOutcome(id=node.id, state="done", seconds=seconds, message=message)


def _hand_over(
    ended: queue.SimpleQueue[NodeOutcome], key: str, future: Future[NodeOutcome]
) -> None:
    """Pass on how a node ended, also when reporting it to the observer is what failed."""
    if not future.cancelled():
        error = future.exception()
        failed = NodeOutcome(id=key, state="failed", error=error)
        ended.put(future.result() if error is None else failed)


def _first_line(error: BaseException) -> str:
    return str(error).partition("\n")[0]


def _way_to_the_end(nodes: Mapping[str, Node]) -> dict[str, float]:
    """Return for every node its cost and that of the dearest chain of nodes that wait for it."""
    waiting: dict[str, list[str]] = {key: [] for key in nodes}
    for node in nodes.values():
        for need in node.needs:
            waiting[need].append(node.id)
    order = graphlib.TopologicalSorter({key: node.needs for key, node in nodes.items()})
    way: dict[str, float] = {}
    for key in reversed(tuple(order.static_order())):
        way[key] = nodes[key].cost + max((way[after] for after in waiting[key]), default=0.0)
    return way
