"""Doing the steps of a graph, several at a time."""

from __future__ import annotations

import functools
import graphlib
import queue
import threading
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from immutable_base.process import end_all

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from immutable_base_lab.core.progress import Progress, Step

# Lane to the number of its steps that may be under way at once. Compilers use every core by
# themselves, one at a time is enough; downloads and packing fill the gaps beside it.
LANES: Mapping[str, int] = {"compile": 1, "download": 2, "pack": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One step and what has to be done before it."""

    name: str
    work: Callable[[Step], None]
    lane: str
    """One of LANES."""
    needs: tuple[str, ...] = ()
    usual_seconds: float = 0
    """See Progress.step."""


def run_graph(nodes: Iterable[Node], progress: Progress) -> None:
    """Do every step, each after those that it needs.

    Of the steps that could start in a lane the one named first starts first. After a failure no
    other step starts, programs under way are ended, and the first error is raised.
    """
    by_name = {node.name: node for node in nodes}
    # A step that somebody needs and that is not there is done already.
    edges = {name: [it for it in node.needs if it in by_name] for name, node in by_name.items()}
    sorter = graphlib.TopologicalSorter(edges)
    sorter.prepare()
    done: queue.SimpleQueue[tuple[str, Future[None]]] = queue.SimpleQueue()
    rank = {name: place for place, name in enumerate(by_name)}
    lanes = {
        lane: ThreadPoolExecutor(size, thread_name_prefix=lane) for lane, size in LANES.items()
    }
    stop = threading.Event()
    try:
        while sorter.is_active():
            for name in sorted(sorter.get_ready(), key=rank.__getitem__):
                future = lanes[by_name[name].lane].submit(_do, by_name[name], progress, stop)
                future.add_done_callback(functools.partial(_put, done, name))
            name, future = done.get()
            future.result()
            sorter.done(name)
    except BaseException:
        stop.set()
        end_all()
        raise
    finally:
        for pool in lanes.values():
            pool.shutdown(cancel_futures=True)


def _put(
    done: queue.SimpleQueue[tuple[str, Future[None]]], name: str, future: Future[None]
) -> None:
    done.put((name, future))


def _do(node: Node, progress: Progress, stop: threading.Event) -> None:
    if not stop.is_set():
        with progress.step(node.name, usual_seconds=node.usual_seconds) as step:
            node.work(step)
