"""An image's boots: how often, and how each machine ends."""

from types import SimpleNamespace

import pytest

from immutable_base.boot import boot_image as room
from immutable_base.boot.boot_image import BootRequest, boot_image
from immutable_base.boot.watch import ROOM
from immutable_base.config.boot import BootSettings
from immutable_base.errors import CheckError, HostError
from immutable_base.model.boot import Boot, GuestAnswer
from immutable_base.model.check import Level
from immutable_base.process import run
from immutable_base.tools import qemu
from support.sound_image import FACTS, PLAN

FULL, ROOMY = SimpleNamespace(free=ROOM - 1), SimpleNamespace(free=ROOM)


def request_of(tmp_path, plan, one_boot):
    return BootRequest(
        variant=plan, facts=FACTS, layout=tmp_path, digest="sha256:" + "a" * 64,
        origin="r/x:latest", folder=tmp_path / "boots", settings=BootSettings(),
        kvm=SimpleNamespace(boot=one_boot),
    )  # fmt: skip


def not_installed(*_):
    raise CheckError("the image cannot be installed", details="Broken pipe")


@pytest.mark.parametrize(
    ("disk", "error", "words"),
    [(ROOMY, CheckError, "cannot be installed"), (FULL, HostError, "the disk of .* is full")],
    ids=["roomy", "full"],
)
def test_what_fails_on_a_full_disk_is_no_fault_of_the_image(
    disk, error, words, tmp_path, monkeypatch
):
    monkeypatch.setattr(room, "prepare", not_installed)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: disk)
    with pytest.raises(error, match=words):
        boot_image(run, None, request_of(tmp_path, PLAN, None), lambda _: None)


@pytest.mark.parametrize("disk", [ROOMY, FULL], ids=["roomy", "full"])
def test_answers_that_are_missing_on_a_full_disk_are_none_of_the_image(
    disk, machine, tmp_path, monkeypatch
):
    plan = PLAN.model_copy(update={"modules": ()})
    monkeypatch.setattr(room, "prepare", lambda *_: machine)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: disk)
    silent = Boot(accelerator="tcg", seconds=1, targets={}, console="console.log", answers=())
    request = request_of(tmp_path, plan, lambda *_: (silent, ""))
    if disk is FULL:
        with pytest.raises(HostError, match="is full"):
            boot_image(run, None, request, lambda _: None)
    else:
        found = boot_image(run, None, request, lambda _: None).findings
        assert any(it.level is Level.ERROR for it in found)


@pytest.fixture
def machine(tmp_path):
    return qemu.Machine(
        accelerator="tcg", memory_mib=512, cores=1, disks=(), kernel=None,
        console=tmp_path / "console.log", answers=tmp_path / "answers",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("plan", "ends"),
    [(PLAN, ["powers off", "is ended"]), (PLAN.model_copy(update={"modules": ()}), ["is ended"])],
    ids=["with pools", "without"],
)
def test_only_a_machine_that_boots_again_powers_off(plan, ends, machine, tmp_path, monkeypatch):
    seen = []

    def one_boot(_, attempt):
        seen.append("powers off" if attempt.powers_off else "is ended")
        console = attempt.machine.console.name
        return Boot(accelerator="tcg", seconds=1, targets={}, console=console, answers=()), ""

    monkeypatch.setattr(room, "prepare", lambda *_: machine)
    booted = boot_image(run, None, request_of(tmp_path, plan, one_boot), lambda _: None)
    assert seen == ends
    assert [it.console for it in booted.boots] == [f"console-{n + 1}.log" for n in range(len(ends))]


LATE = (
    ("failed-units", 0, "systemd-udev-settle.service timeout"),
    ("journal", 0, '{"MESSAGE": "Failed to wait for daemon to reply: Connection timed out"}'),
    ("zfs import", 124, ""),
)
"""What a sound image answers where its emulator got no processor: met with a pool, at a load of 12."""
WRONG = (("failed-units", 0, "sshd.service exit-code"), ("zfs import", 1, "no such pool"))


def answered(question, status, text, accelerator="tcg"):
    answer = GuestAnswer(question=question, status=status, text=text)
    return Boot(
        accelerator=accelerator, seconds=1, targets={}, console="console-1.log", answers=(answer,)
    )


@pytest.fixture
def boots(machine, tmp_path, monkeypatch):
    """Let an image be booted on new disks as often as it takes; what its boots are, one by one."""

    def of(*found):
        made, left = [], list(found)
        monkeypatch.setattr(room, "prepare", lambda *_: made.append("disks") or machine)
        plan = PLAN.model_copy(update={"modules": ()})
        request = request_of(tmp_path, plan, lambda *_: (left.pop(0), ""))
        return boot_image(run, None, request, lambda _: None), made

    return of


@pytest.mark.parametrize("late", LATE, ids=lambda it: it[0])
def test_what_an_emulator_had_no_time_for_is_done_once_more_on_new_disks_and_told(late, boots):
    booted, made = boots(answered(*late), answered("state", 0, "running"))
    assert made == ["disks", "disks"]
    assert [it.question for it in booted.boots[0].answers] == ["state"], "the second counts"
    (note,) = (it for it in booted.findings if it.id == "boot-accelerator")
    assert note.level is Level.NOTE
    assert "no answer in time" in note.message


def test_an_image_that_is_late_twice_is_refused(boots):
    booted, made = boots(answered(*LATE[0]), answered(*LATE[0]))
    assert len(made) == 2
    assert any("systemd-udev-settle.service (timeout)" in it.message for it in booted.findings)
    assert any(it.level is Level.ERROR for it in booted.findings)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda it: it[0])
def test_what_is_wrong_and_not_late_is_not_booted_again(wrong, boots):
    booted, made = boots(answered(*wrong))
    assert made == ["disks"]
    assert any(it.level is Level.ERROR for it in booted.findings)


@pytest.mark.parametrize("late", LATE, ids=lambda it: it[0])
def test_a_real_processor_is_never_late(late, boots):
    _, made = boots(answered(*late, accelerator="kvm"))
    assert made == ["disks"]
