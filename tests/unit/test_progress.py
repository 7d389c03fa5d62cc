"""What a person at a terminal, or a log, gets to read while nodes run."""

import io
import re
import time

import pytest
from rich.console import Console

from immutable_base import progress as module
from immutable_base.progress import Line, Progress, duration


@pytest.fixture(autouse=True)
def _outside_gitlab(monkeypatch):
    monkeypatch.delenv("GITLAB_CI", raising=False)


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


# ------------------------------------------------------------------ sections of GitLab's log

SECTION = re.compile(
    r"\x1b\[0Ksection_start:(\d+):([\w.-]+)(\[collapsed=true\])?\r\x1b\[0K([^\n]*)\n"
    r"(.*?)\x1b\[0Ksection_end:(\d+):([\w.-]+)\r\x1b\[0K\n",
    re.DOTALL,
)


def gitlab_log(capsys):
    return capsys.readouterr().err


def test_each_step_is_a_folded_section_of_gitlabs_log(capsys):
    with Progress(live=False, sections=True) as progress:
        for node in ("module:zfs", "image:base"):
            progress.started(node)
        for node in ("module:zfs", "image:base"):
            progress.line(node, f"compiling {node}")
        progress.finished("image:base", "done")
        progress.finished("module:zfs", "failed", "too few arguments\nhint: look")
    found = SECTION.findall(gitlab_log(capsys))
    assert [(name, end, folded) for _, name, folded, _, _, _, end in found] == [
        ("image_base", "image_base", "[collapsed=true]"), ("module_zfs", "module_zfs", ""),
    ]  # fmt: skip
    assert "image:base: done after" in found[0][3]
    assert found[0][4] == "compiling image:base\n"
    assert found[1][4] == "compiling module:zfs\nhint: look\n"
    assert all(abs(int(start) - time.time()) < 60 >= int(end) - int(start) >= 0
               for start, *_, end, _ in found)  # fmt: skip


def test_a_program_can_neither_end_a_section_nor_begin_one(capsys):
    with Progress(live=False, sections=True) as progress:
        progress.started("x")
        progress.line("x", "\x1b[0Ksection_end:1:x\r\x1b[0K")
        progress.finished("x", "done")
    log = gitlab_log(capsys)
    assert len(SECTION.findall(log)) == 1
    assert log.count("\x1b[0Ksection_end") == 1
    assert "\\x1b[0Ksection_end:1:x\\x0d" in log


def test_a_section_shows_the_last_lines_of_a_step_that_says_much(capsys):
    with Progress(live=False, sections=True) as progress:
        progress.started("x")
        for number in range(5000):
            progress.line("x", f"line {number}")
        progress.finished("x", "done")
    body = SECTION.findall(gitlab_log(capsys))[0][4].splitlines()
    assert len(body) == module.SECTION_LINES
    assert body[-1] == "line 4999"


def test_what_was_never_started_is_a_plain_line(capsys):
    with Progress(live=False, sections=True) as progress:
        progress.finished("x", "skipped", "y failed")
    assert plain(capsys.readouterr()) == ["x: skipped after 0 s: y failed"]


def test_sections_are_for_gitlabs_log_alone(monkeypatch):
    monkeypatch.delenv("GITLAB_CI", raising=False)
    assert not Progress().sections
    monkeypatch.setenv("GITLAB_CI", "true")
    assert Progress().sections
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert not Progress().sections
