import errno
import threading
import time

import pytest

from immutable_base import schedule
from immutable_base.errors import CommandError, HostError
from immutable_base.schedule import Node, observed, run_nodes
from support.observers import Recorder


def node(name, *needs, action=lambda report: None, **more):
    return Node(id=name, title=f"title of {name}", action=action, needs=needs, **more)


def fail(report):
    raise CommandError("gcc did not like it", details="line 1")


def test_a_node_runs_after_what_it_needs_and_says_what_happens():
    recorder = Recorder()
    nodes = [
        node("b", "a", action=lambda report: report("hello")),
        node("a", action=lambda report: "last words"),
    ]
    outcomes = run_nodes(nodes, workers=2, observer=recorder)
    assert {key: outcome.state for key, outcome in outcomes.items()} == {"a": "done", "b": "done"}
    assert recorder.events == [
        ("expect", "b"), ("expect", "a"),
        ("started", "a"), ("done", "a", "last words"),
        ("started", "b"), ("line", "b", "hello"), ("done", "b", ""),
    ]  # fmt: skip


def test_a_failure_skips_only_what_needs_it_and_names_the_root():
    recorder = Recorder()
    nodes = [
        node("bad", action=fail),
        node("after", "bad"),
        node("last", "after", "good"),
        node("good"),
    ]
    outcomes = run_nodes(nodes, workers=1, observer=recorder)
    assert outcomes["good"].state == "done"
    assert outcomes["bad"].state == "failed"
    assert isinstance(outcomes["bad"].error, CommandError)
    assert (outcomes["last"].state, outcomes["last"].because) == ("skipped", "bad")
    assert ("skipped", "last", "needs title of bad, which failed") in recorder.events


def test_any_exception_is_the_outcome_of_its_node_alone():
    outcomes = run_nodes(
        [node("bug", action=lambda report: 1 // 0), node("fine")], workers=2, observer=Recorder()
    )
    assert isinstance(outcomes["bug"].error, ZeroDivisionError)
    assert outcomes["fine"].state == "done"


def test_two_workers_work_at_once_and_never_three():
    """With the longest way first: what is handed over early would be handed over in a wrong order."""
    meet = threading.Barrier(2, timeout=5)
    submitted, at_once, most, lock = [], 0, 0, threading.Lock()

    class Pool(schedule.ThreadPoolExecutor):
        def __init__(self, workers, **kw):
            super().__init__(workers + 3, **kw)  # the scheduler itself keeps to the number

        def submit(self, *arguments):
            submitted.append(arguments)
            return super().submit(*arguments)

    def count(report):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        meet.wait()
        time.sleep(0.01)
        with lock:
            at_once -= 1

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule, "ThreadPoolExecutor", Pool)
        outcomes = run_nodes(
            [node(str(i), action=count) for i in range(4)], workers=2, observer=Recorder()
        )
    assert [outcome.state for outcome in outcomes.values()] == ["done"] * 4
    assert len(submitted) == 4
    assert most == 2


def test_a_lane_has_as_many_places_as_it_was_given_and_others_go_on_beside_it():
    meet = threading.Barrier(2, timeout=5)
    events, lock = [], threading.Lock()

    def compile_(report):
        with lock:
            events.append("start")
        time.sleep(0.05)
        with lock:
            events.append("end")

    nodes = [node(f"compile {i}", action=compile_, lane="compile", cost=100) for i in range(3)]
    nodes += [node(f"other {i}", action=lambda report: meet.wait()) for i in range(2)]
    outcomes = run_nodes(nodes, workers=3, lanes={"compile": 1}, observer=Recorder())
    assert {outcome.state for outcome in outcomes.values()} == {"done"}
    assert events == ["start", "end"] * 3


def test_the_longest_way_to_the_end_starts_first():
    recorder = Recorder()
    nodes = [node("short", cost=5), node("long", cost=1), node("end", "long", cost=10)]
    run_nodes(nodes, workers=1, observer=recorder)
    assert [event[1] for event in recorder.events if event[0] == "started"] == [
        "long",
        "end",
        "short",
    ]


def test_a_full_disk_is_this_hosts_and_says_what_to_do():
    def full(report):
        raise OSError(errno.ENOSPC, "No space left on device", "/somewhere/x.rpm")

    outcome = run_nodes([node("a", action=full)], workers=1, observer=Recorder())["a"]
    assert isinstance(outcome.error, HostError)
    assert "/somewhere/x.rpm: No space left on device" in str(outcome.error)
    assert "--workspace" in str(outcome.error)


def test_an_observer_that_fails_does_not_stop_the_night_for_ever():
    class Broken(Recorder):
        def started(self, node):
            raise BrokenPipeError

    found = {}
    thread = threading.Thread(
        target=lambda: found.update(run_nodes([node("a")], workers=1, observer=Broken())),
        daemon=True,
    )
    thread.start()
    thread.join(5)
    assert found["a"].state == "failed"


def test_an_interrupt_ends_programs_and_goes_up(monkeypatch):
    ended = []
    monkeypatch.setattr(schedule, "end_all", lambda: ended.append(True))

    def interrupt(report):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_nodes([node("a", action=interrupt), node("b", "a")], workers=1, observer=Recorder())
    assert ended


def test_an_unknown_need_is_refused_before_anything_runs():
    recorder = Recorder()
    with pytest.raises(ValueError, match="no node: nowhere"):
        run_nodes([node("a", "nowhere")], workers=1, observer=recorder)
    assert recorder.events == []


def test_what_needs_a_skipped_node_is_skipped_too_and_never_started():
    recorder = Recorder()
    ran = []
    nodes = [
        node("bad", action=fail),
        node("second", "bad", action=ran.append),
        node("third", "second", action=ran.append),
        node("fourth", "third", action=ran.append),
    ]
    outcomes = run_nodes(nodes, workers=2, observer=recorder)
    assert ran == []
    assert [(o.id, o.state, o.because) for o in outcomes.values() if o.state == "skipped"] == [
        ("second", "skipped", "bad"),
        ("third", "skipped", "bad"),
        ("fourth", "skipped", "bad"),
    ]
    assert [event for event in recorder.events if event[0] in {"started", "skipped"}] == [
        ("started", "bad"),
        ("skipped", "second", "needs title of bad, which failed"),
        ("skipped", "third", "needs title of bad, which failed"),
        ("skipped", "fourth", "needs title of bad, which failed"),
    ]


def test_the_root_of_a_skip_is_what_failed_and_not_what_went_well():
    nodes = [
        node("good"),
        node("bad", action=fail),
        node("image", "good", "bad"),
        node("x", "image"),
    ]
    outcomes = run_nodes(nodes, workers=1, observer=Recorder())
    assert (outcomes["image"].because, outcomes["x"].because) == ("bad", "bad")
    assert (outcomes["image"].error, outcomes["image"].seconds) == (None, 0.0)


def test_a_long_chain_of_cheap_nodes_starts_before_one_dear_node():
    recorder = Recorder()
    nodes = [node("dear", cost=9)]
    nodes += [node(f"c{n}", *([f"c{n - 1}"] if n else []), cost=4) for n in range(3)]
    run_nodes(nodes, workers=1, observer=recorder)
    started = [event[1] for event in recorder.events if event[0] == "started"]
    assert started == ["c0", "dear", "c1", "c2"]


def test_of_equal_ways_the_order_is_that_of_the_names():
    recorder = Recorder()
    run_nodes([node("b"), node("c"), node("a")], workers=1, observer=recorder)
    assert [event[1] for event in recorder.events if event[0] == "started"] == ["a", "b", "c"]


def test_an_interrupt_is_no_nodes_failure_and_starts_nothing_more(monkeypatch):
    monkeypatch.setattr(schedule, "end_all", lambda: None)
    recorder = Recorder()

    def interrupt(say):
        raise KeyboardInterrupt

    nodes = [node("a", action=interrupt, cost=9), node("after", "a"), node("later")]
    with pytest.raises(KeyboardInterrupt):
        run_nodes(nodes, workers=1, observer=recorder)
    assert [event for event in recorder.events if event[0] != "expect"] == [("started", "a")]


def test_an_exit_inside_a_node_goes_up_as_well(monkeypatch):
    ended = []
    monkeypatch.setattr(schedule, "end_all", lambda: ended.append(True))

    def leave(say):
        raise SystemExit(3)

    with pytest.raises(SystemExit):
        run_nodes([node("a", action=leave)], workers=1, observer=Recorder())
    assert ended == [True]


def test_a_circle_is_refused_before_anything_runs():
    recorder = Recorder()
    with pytest.raises(ValueError, match="cycle"):
        run_nodes([node("a", "b"), node("b", "a")], workers=1, observer=recorder)
    assert recorder.events == []


def test_seconds_are_those_of_the_node_itself():
    outcomes = run_nodes(
        [node("quick"), node("slow", action=lambda say: time.sleep(0.05))],
        workers=1,
        observer=Recorder(),
    )
    assert outcomes["slow"].seconds >= 0.05
    assert outcomes["quick"].seconds < outcomes["slow"].seconds


def test_an_error_is_reported_by_its_first_line_and_kept_whole():
    recorder = Recorder()
    outcomes = run_nodes([node("a", action=fail)], workers=1, observer=recorder)
    assert ("failed", "a", "gcc did not like it") in recorder.events
    assert "line 1" in str(outcomes["a"].error)


def test_where_everything_is_needed_nothing_starts_after_a_failure(monkeypatch):
    ended, done = [], []
    monkeypatch.setattr(schedule, "end_all", lambda: ended.append(True))
    nodes = [
        node("bad", action=fail, lane="compile", cost=9),
        node("same lane", action=lambda report: done.append("same lane"), lane="compile"),
        node("after", "same lane", action=lambda report: done.append("after")),
    ]
    with pytest.raises(CommandError, match="gcc did not like it"):
        run_nodes(nodes, workers=2, lanes={"compile": 1}, observer=Recorder(), stop_at_failure=True)
    assert done == []
    assert ended, "programs that others started must not go on"


def test_a_block_can_be_watched_like_a_node():
    recorder = Recorder()
    with observed(recorder, "plan") as report:
        report("reading")
    with pytest.raises(CommandError), observed(recorder, "build"):
        raise CommandError("no compiler", details="line 1")
    assert recorder.events == [
        ("expect", "plan"), ("started", "plan"), ("line", "plan", "reading"), ("done", "plan", ""),
        ("expect", "build"), ("started", "build"), ("failed", "build", "no compiler"),
    ]  # fmt: skip
