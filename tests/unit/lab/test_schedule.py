"""Steps run after what they need, side by side where lanes allow, and stop at the first failure."""

import threading

import pytest

from immutable_base.errors import CommandError
from immutable_base_lab.core import schedule
from immutable_base_lab.core.progress import LoggedProgress
from immutable_base_lab.core.schedule import Node, run_graph


@pytest.fixture(autouse=True)
def _no_interrupt(monkeypatch):
    monkeypatch.setattr(schedule, "end_all", lambda: None)


def test_steps_run_after_what_they_need():
    done = []
    nodes = [
        Node(name="c", work=lambda _: done.append("c"), lane="pack", needs=("b", "already made")),
        Node(name="b", work=lambda _: done.append("b"), lane="compile", needs=("a",)),
        Node(name="a", work=lambda _: done.append("a"), lane="download"),
    ]
    run_graph(nodes, LoggedProgress())
    assert done == ["a", "b", "c"]


def test_lanes_run_side_by_side():
    meeting = threading.Barrier(2, timeout=10)
    nodes = [
        Node(name=lane, work=lambda _: meeting.wait(), lane=lane) for lane in ("compile", "pack")
    ]
    run_graph(nodes, LoggedProgress())


def test_nothing_starts_after_a_failure():
    done = []

    def fail(_):
        raise CommandError("no compiler")

    nodes = [
        Node(name="a", work=fail, lane="compile"),
        Node(name="b", work=lambda _: done.append("b"), lane="compile", needs=("a",)),
        Node(name="c", work=lambda _: done.append("c"), lane="pack", needs=("b",)),
    ]
    with pytest.raises(CommandError, match="no compiler"):
        run_graph(nodes, LoggedProgress())
    assert not done
