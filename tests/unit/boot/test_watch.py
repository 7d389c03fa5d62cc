"""A machine that nothing good will come of is ended, with the reason."""

from types import SimpleNamespace

import pytest

from immutable_base.boot import watch as room
from immutable_base.boot.watch import MEBIBYTE, ROOM, Watch


@pytest.fixture
def watch(tmp_path):
    return Watch(
        console=tmp_path / "console", answers=tmp_path / "answers", seconds=100.0, silence=50.0
    )


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("[ 1.0] Kernel panic - not syncing: VFS: Unable to mount root fs", "the kernel panicked"),
        ("Out of memory: Killed process 88 (dnf)", "ran out of memory"),
        ("dracut-initqueue: dracut Warning: Could not boot.", "did not find the root"),
        (
            "Dependency failed for \x1b[0;1;39msysroot.mount\x1b[0m - /sysroot.",
            "did not find the root",
        ),
        (
            "Reached target \x1b[0;1;39memergency.target\x1b[0m - Emergency Mode.",
            "systemd gave up: Reached target emergency.target - Emergency Mode.",
        ),
        ("You are in emergency mode. After logging in", "systemd gave up"),
    ],
)
def test_what_the_console_says_ends_the_machine(watch, text, meaning):
    watch.console.write_text(f"all is well\n{text}\nmore\n")
    assert watch.stop()
    assert meaning in watch.verdict


def test_a_message_that_comes_in_two_pieces_is_seen(watch):
    watch.console.write_text("[ 1.0] Kernel panic - not sync")
    assert not watch.stop()
    with watch.console.open("a") as file:
        file.write("ing: no init found\n")
    assert watch.stop()
    assert "no init found" in watch.verdict


def test_a_machine_that_boots_is_let_be(watch):
    watch.console.write_text("Welcome to CentOS Stream 10!\n[  OK  ] Reached target\n")
    assert not watch.stop()


def test_a_limit_of_time(watch):
    watch.console.write_text("Welcome\n")
    watch.started -= 101
    assert watch.stop()
    assert "within 100 s" in watch.verdict


def test_a_machine_that_waits_for_room_on_a_full_disk_is_ended_and_it_is_no_fault_of_its_image(
    watch, monkeypatch, tmp_path
):
    watch.console.write_text("Welcome\n")
    watch.folders = (tmp_path, tmp_path / "elsewhere")
    free = {tmp_path: 5 * MEBIBYTE, tmp_path / "elsewhere": ROOM}
    monkeypatch.setattr(room, "disk_usage", lambda folder: SimpleNamespace(free=free[folder]))
    assert not watch.stop()
    free[tmp_path / "elsewhere"] -= 1
    assert watch.stop()
    assert watch.full == tmp_path / "elsewhere"
    assert watch.verdict == f"the disk of {watch.full} is full"


def test_a_kernel_that_says_nothing(watch):
    watch.started -= 51
    assert watch.stop()
    assert "said nothing" in watch.verdict


@pytest.mark.parametrize(
    ("name", "limit"), [("console", "CONSOLE_LIMIT"), ("answers", "ANSWERS_LIMIT")]
)
def test_a_flood(watch, monkeypatch, name, limit):
    monkeypatch.setattr(room, limit, 10)
    getattr(watch, name).write_text("x" * 10)
    assert not watch.stop()
    getattr(watch, name).write_text("x" * 11)
    assert watch.stop()
    assert "flooded" in watch.verdict
