"""What a person at a terminal, or a log, gets to read while nodes run."""

import io
import time

from rich.console import Console

from immutable_base import progress as module
from immutable_base.progress import Line, Progress, duration


def plain(captured) -> list[str]:
    assert captured.out == ""
    return [line.partition(" ")[2] for line in captured.err.splitlines()]


def shown(progress: Progress) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(progress._render())
    return console.file.getvalue()


def test_plain_lines_without_a_terminal(capsys):
    with Progress(live=False) as progress:
        progress.expect("module:zfs", "compile zfs")
        progress.started("module:zfs")
        progress.line("module:zfs", "checking kernel source")
        progress.finished("module:zfs", "failed", "too few arguments")
    assert plain(capsys.readouterr()) == [
        "module:zfs: started: compile zfs",
        "module:zfs: failed after 0 s: too few arguments",
    ]


def test_an_estimate_is_shown_at_the_start(capsys):
    with Progress(live=False, quiet_below=0.5) as progress:
        progress.expect("build cosign", "build cosign", usual_seconds=160)
        progress.started("build cosign")
        progress.finished("build cosign", "done")
    assert plain(capsys.readouterr()) == [
        "build cosign: started, usually 2 min 40 s",
        "build cosign: done after 0 s",
    ]


def test_steps_that_take_no_time_are_not_worth_a_line_unless_they_fail(capsys):
    with Progress(live=False, quiet_below=0.5) as progress:
        for node, state in (("service a", "done"), ("service b", "failed")):
            progress.expect(node, node)
            progress.started(node)
            progress.finished(node, state, "" if state == "done" else "port 1 is in use")
        assert "service a" not in shown(progress)
        assert "service b" in shown(progress)
    assert plain(capsys.readouterr()) == ["service b: failed after 0 s: port 1 is in use"]


def test_a_long_step_shows_life_in_a_log(capsys, monkeypatch):
    monkeypatch.setattr(module, "NEWS_EVERY", 0.5)
    with Progress(live=False) as progress:
        progress.expect("build syft", "build syft", usual_seconds=90)
        progress.expect("module:zfs", "compile zfs")
        for node in ("build syft", "module:zfs"):
            progress.started(node)
            progress.line(node, "compiling")
        deadline = time.monotonic() + 10
        lines = []
        while len(lines) < 3 and time.monotonic() < deadline:
            time.sleep(0.1)
            lines += plain(capsys.readouterr())
    assert lines[2].startswith("build syft: ")
    assert " s, about 1 min 2" in lines[2]
    assert lines[2].endswith(" left: compiling")
    assert not any(line.startswith("module:zfs: | ") for line in lines)


def test_time_left_is_shown_only_while_the_estimate_holds():
    now = time.monotonic()
    assert Line(title="x", usual_seconds=90, state="running", started=now - 30).clock == (
        "30 s, about 1 min 00 s left"
    )
    assert Line(title="x", usual_seconds=90, state="running", started=now - 100).clock == (
        "1 min 40 s"
    )
    assert Line(title="x", state="running", started=now - 100).clock == "100 s"


def test_durations_are_read_at_a_glance():
    assert [duration(it) for it in (0.4, 48, 59.7, 750)] == [
        "0 s",
        "48 s",
        "1 min 00 s",
        "12 min 30 s",
    ]
