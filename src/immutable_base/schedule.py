"""A graph of nodes, several at a time; a failure stops only what needs it."""

from __future__ import annotations

import functools
import graphlib
import logging
import queue
import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Literal, Protocol

from immutable_base.errors import ImmutableBaseError, host_error
from immutable_base.process import LineSink, end_all

log = logging.getLogger(__name__)

State = Literal["done", "failed", "skipped"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One piece of the night's work."""

    id: str
    title: str
    """For people."""
    action: Callable[[LineSink], str | None]
    """Does the work; receives where to say what happens, returns a few last words or None."""
    needs: tuple[str, ...] = ()
    """Nodes that must be done before."""
    variants: tuple[str, ...] = ()
    """Variants that need this node."""
    cost: float = 1.0
    """Rough seconds. Of the nodes that can start, the one with the longest way ahead does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a node ended."""

    id: str
    state: State
    seconds: float = 0.0
    error: BaseException | None = None
    because: str | None = None
    """For `skipped`: the failed node at the root of it."""


class Observer(Protocol):
    """Is told what happens to nodes, from any thread."""

    def expect(self, node: str, title: str) -> None:
        """Name a node that will run later."""

    def started(self, node: str) -> None:
        """Tell that a node begins."""

    def line(self, node: str, words: str) -> None:
        """Pass on what a node's program just wrote."""

    def finished(self, node: str, state: str, words: str = "") -> None:
        """Tell how a node ended."""


def run_nodes(nodes: Iterable[Node], *, workers: int, observer: Observer) -> dict[str, Outcome]:
    """Run every node after those that it needs, and return how each one ended.

    Whatever a node raises is its outcome. KeyboardInterrupt ends the programs under way and goes on
    up. Raises ValueError for a circle or a need that is no node.
    """
    night = _Night(nodes, observer)
    with ThreadPoolExecutor(workers, thread_name_prefix="node") as pool:
        try:
            night.run(pool, workers)
        except BaseException:
            end_all()
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return night.outcomes


class _Night:
    def __init__(self, nodes: Iterable[Node], observer: Observer) -> None:
        self.nodes = {node.id: node for node in nodes}
        self.observer = observer
        self.outcomes: dict[str, Outcome] = {}
        unknown = {need for node in self.nodes.values() for need in node.needs} - set(self.nodes)
        if unknown:
            msg = f"needed, but no node: {', '.join(sorted(unknown))}"
            raise ValueError(msg)
        self.sorter = graphlib.TopologicalSorter({key: n.needs for key, n in self.nodes.items()})
        self.sorter.prepare()
        self.way = _way_to_the_end(self.nodes)
        for node in self.nodes.values():
            observer.expect(node.id, node.title)

    def run(self, pool: ThreadPoolExecutor, workers: int) -> None:
        ended: queue.SimpleQueue[Outcome] = queue.SimpleQueue()
        ready: list[str] = []
        running = 0
        while self.sorter.is_active():
            ready += self.sorter.get_ready()
            ready.sort(key=lambda key: (-self.way[key], key))
            while ready and running < workers:
                key = ready.pop(0)
                if self._is_skipped(key):
                    ready += self.sorter.get_ready()
                    continue
                future = pool.submit(self._do, self.nodes[key])
                future.add_done_callback(functools.partial(_hand_over, ended, key))
                running += 1
            if running:
                outcome = ended.get()
                if outcome.error is not None and not isinstance(outcome.error, Exception):
                    raise outcome.error  # an interrupt, not a failure
                self._close(outcome)
                running -= 1

    def _is_skipped(self, key: str) -> bool:
        """Close a node without running it, if something that it needs did not get done."""
        for need in self.nodes[key].needs:
            outcome = self.outcomes[need]
            if outcome.state != "done":
                root = outcome.because or need
                words = f"needs {self.nodes[root].title}, which failed"
                self.observer.finished(key, "skipped", words)
                self._close(Outcome(id=key, state="skipped", because=root))
                return True
        return False

    def _close(self, outcome: Outcome) -> None:
        self.outcomes[outcome.id] = outcome
        self.sorter.done(outcome.id)

    def _do(self, node: Node) -> Outcome:
        started = time.monotonic()
        self.observer.started(node.id)
        try:
            words = node.action(functools.partial(self.observer.line, node.id))
        except Exception as raised:
            error = _as_ours(raised)
            if not isinstance(error, ImmutableBaseError):
                log.debug("%s: not one of our errors", node.id, exc_info=True)
            self.observer.finished(node.id, "failed", str(error).partition("\n")[0])
            seconds = time.monotonic() - started
            return Outcome(id=node.id, state="failed", seconds=seconds, error=error)
        self.observer.finished(node.id, "done", words or "")
        return Outcome(id=node.id, state="done", seconds=time.monotonic() - started)


def _hand_over(ended: queue.SimpleQueue[Outcome], key: str, future: Future[Outcome]) -> None:
    """Pass on how a node ended, also when telling the observer is what failed."""
    if not future.cancelled():
        error = future.exception()
        failed = Outcome(id=key, state="failed", error=error)
        ended.put(future.result() if error is None else failed)


def _as_ours(error: Exception) -> Exception:
    return (host_error(error) or error) if isinstance(error, OSError) else error


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
