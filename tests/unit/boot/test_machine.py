"""One boot, with a machine that does what a test says."""

import json
import threading
from base64 import b64decode, b64encode
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from immutable_base.boot.machine import BootAttempt, Kvm, boot, boot_anyhow
from immutable_base.boot.questions import SSH, GuestQuestion
from immutable_base.boot.watch import ANSWERS_LIMIT
from immutable_base.errors import CheckError, CommandError, HostError
from immutable_base.process import Result
from immutable_base.tools import qemu

NONCE = "5e" * 16
ASKED = (GuestQuestion(name="kernel", script="uname -r"),)


def answer(question, text, nonce=NONCE):
    encoded = b64encode(text.encode()).decode()
    return json.dumps({"nonce": nonce, "question": question, "status": 0, "text": encoded}) + "\n"


class Host:
    """Starts no program; a machine writes what is given, and may outlive what it is allowed."""

    def __init__(
        self, console="Linux version 6.12\n", answers="", *, error=None, accelerators=None
    ):
        self.console, self.answers, self.error = console, answers, error
        self.started = []
        self.broken = accelerators or ()
        self.stopped = False

    def run(self, command):
        if command.argv[0] != qemu.PROGRAM:
            return Result(status=0, stdout=b"", stderr_tail="")
        words = list(command.argv)
        accelerator = words[words.index("-accel") + 1].partition(",")[0]
        self.started.append(command)
        if accelerator in self.broken:
            raise CommandError("`qemu` was ended by SIGABRT", details="kvm.c: Assertion failed")
        serial = words[words.index("-serial") + 1].removeprefix("file:")
        port = next(word for word in words if word.startswith("file,id=answers")).partition(
            "path="
        )[2]
        Path(serial).write_text(self.console)
        Path(port).write_text(self.answers)
        self.stopped = command.until()
        if self.error:
            raise self.error
        return Result(status=0, stdout=b"", stderr_tail="")


@pytest.fixture
def attempt(tmp_path):
    machine = qemu.Machine(
        accelerator="tcg", memory_mib=512, cores=1, disks=(),
        kernel=qemu.BootFiles(image=tmp_path / "k", initramfs=tmp_path / "i", arguments=""),
        console=tmp_path / "console.log", answers=tmp_path / "answers",
    )  # fmt: skip
    return BootAttempt(machine=machine, asked=ASKED, nonce=NONCE, folder=tmp_path, seconds=100)


def test_a_boot_is_its_answers(attempt):
    targets = "Id=basic.target\nActiveEnterTimestampMonotonic=1500000\n\nId=x\nActiveEnterTimestampMonotonic=0"
    host = Host(answers=answer("kernel", "6.12") + answer("targets", targets) + answer("end", ""))
    result = boot(host.run, attempt)
    assert result.answer("kernel").text == "6.12"
    assert result.targets == {"basic.target": 1.5}


ANSWERED = answer("kernel", "6.12") + answer("end", "")


def test_a_full_disk_is_this_hosts_and_no_verdict_about_the_image(attempt, monkeypatch, tmp_path):
    """QEMU lets a machine wait for room, which looks like one that hangs."""
    disk = qemu.Disk(path=tmp_path / "disks/root.raw", serial="root")
    disk.path.parent.mkdir()
    elsewhere = replace(attempt, machine=replace(attempt.machine, disks=(disk,)))
    full = {disk.path.parent}
    monkeypatch.setattr(
        "immutable_base.boot.watch.disk_usage",
        lambda folder: SimpleNamespace(free=0 if folder in full else 1 << 40),
    )
    with pytest.raises(HostError, match=f"the disk of {disk.path.parent} is full") as caught:
        boot(Host(answers=answer("kernel", "6.12")).run, elsewhere)
    assert "--workspace" in caught.value.hint
    full.clear()
    assert boot(Host(answers=ANSWERED).run, elsewhere).answers


def test_what_is_thrown_away_is_written_where_there_is_room_for_it(attempt):
    host = Host(answers=ANSWERED)
    boot(host.run, attempt)
    assert host.started[0].env == {"TMPDIR": str(attempt.machine.answers.parent)}


@pytest.mark.parametrize("powers_off", [False, True])
def test_a_machine_is_ended_when_it_has_answered_unless_another_boot_follows(attempt, powers_off):
    """A pool that imports itself at the next boot was left as a host leaves it: by powering off."""
    host = Host(answers=ANSWERED)
    boot(host.run, replace(attempt, powers_off=powers_off))
    assert host.stopped is not powers_off


@pytest.mark.parametrize("answers", [answer("kernel", "6.12"), ANSWERED[:-1]])
def test_a_machine_that_still_answers_is_not_ended(attempt, answers):
    host = Host(answers=answers)
    with pytest.raises(CheckError, match="stopped answering after 'kernel'"):
        boot(host.run, attempt)
    assert not host.stopped


def test_what_is_handed_in_says_the_questions_and_the_nonce_and_changes_no_disk(attempt):
    host = Host(answers=answer("end", ""))
    boot(host.run, attempt)
    files = [
        word.partition("path=")[2] for word in host.started[0].argv if word.startswith("type=11")
    ]
    handed = {}
    for file in files:
        name, _, value = Path(file).read_text().partition("binary:")[2].partition("=")
        handed[name] = b64decode(value).decode()
    assert handed["immutable-base.nonce"] == NONCE
    assert handed["immutable-base.questions"] == "kernel\tuname -r\n"
    assert "ssh.authorized_keys.root" not in handed


@pytest.mark.parametrize(
    ("host", "words"),
    [
        (Host(), "powered off without an answer"),
        (Host(answers=answer("kernel", "6.12")), "stopped answering after 'kernel'"),
        (Host(answers=answer("kernel", "6.12", nonce="00")), "another nonce"),
        (Host(answers="login: \n"), "no answer"),
        (Host(console="Kernel panic - not syncing: no init\n"), "the kernel panicked"),
        (Host(console="You are in emergency mode.\n"), "systemd gave up"),
        (Host(answers="y\n" * (ANSWERS_LIMIT // 2 + 1)), "flooded its port"),
        (Host(answers=answer("end", ""), console="Out of memory: Killed process 7 (x)\n"), "out of memory"),
    ],
)  # fmt: skip
def test_a_machine_that_does_not_come_up_is_told_with_its_console(attempt, host, words):
    with pytest.raises(CheckError, match="did not come up") as caught:
        boot(host.run, attempt)
    assert words in caught.value.message
    assert host.console.strip() in caught.value.details
    assert "console.log" in caught.value.hint


def test_answers_of_an_earlier_boot_are_not_this_ones(attempt):
    attempt.machine.answers.write_text(answer("kernel", "6.12") + answer("end", ""))
    with pytest.raises(CheckError, match="without an answer"):
        boot(Host().run, attempt)


def with_kvm(attempt):
    return replace(attempt, machine=replace(attempt.machine, accelerator="kvm"))


def test_where_kvm_does_not_work_the_machine_starts_without_it_and_that_is_told(attempt):
    host = Host(answers=answer("end", ""), accelerators=("kvm",))
    result, why = boot_anyhow(host.run, with_kvm(attempt))
    assert result.accelerator == "tcg"
    assert "Assertion failed" in why


def test_an_image_that_panics_under_kvm_is_not_started_again(attempt):
    host = Host(console="Kernel panic - not syncing: no init\n")
    with pytest.raises(CheckError, match="panicked"):
        boot_anyhow(host.run, with_kvm(attempt))
    assert len(host.started) == 1


def test_a_machine_that_says_nothing_under_kvm_is_tried_without(attempt):
    host = Host(console="")
    with pytest.raises(CheckError):
        boot_anyhow(host.run, with_kvm(attempt))
    assert len(host.started) == 2


STALE = "Oops: int3: 0000 [#1] PREEMPT SMP\nKernel panic - not syncing: Fatal exception\n"


class StaleOnce(Host):
    """Its first machine panics at a breakpoint that nobody has set."""

    def run(self, command):
        if command.argv[0] == qemu.PROGRAM:
            self.console = "Linux version 6.12\n" if self.started else STALE
        return super().run(command)


def test_what_the_emulator_did_wrong_is_done_once_more_and_told(attempt):
    host = StaleOnce(answers=answer("end", ""))
    assert "code that the kernel had replaced" in boot(host.run, attempt).again
    assert len(host.started) == 2


def test_a_kernel_that_panics_twice_is_refused(attempt):
    host = Host(console=STALE)
    with pytest.raises(CheckError, match="panicked"):
        boot(host.run, attempt)
    assert len(host.started) == 2


def test_under_kvm_no_panic_is_the_emulators(attempt):
    host = Host(console=STALE)
    with pytest.raises(CheckError, match="panicked"):
        boot(host.run, with_kvm(attempt))
    assert len(host.started) == 1


def test_a_boot_that_went_well_was_not_done_again(attempt):
    assert boot(Host(answers=answer("end", "")).run, attempt).again == ""


def test_qemu_that_is_killed_is_no_verdict_about_the_image(attempt):
    host = Host(error=CommandError("`qemu` was ended by SIGKILL"))
    with pytest.raises(CommandError, match="SIGKILL"):
        boot(host.run, attempt)


def test_a_key_is_made_only_where_somebody_logs_in(attempt, tmp_path):
    host = Host(answers=answer("end", ""))
    (tmp_path / "key.pub").write_text("ssh-ed25519 AAAA boot\n")
    boot(host.run, replace(attempt, asked=(SSH,)))
    assert "hostfwd=tcp:127.0.0.1:" in " ".join(host.started[0].argv)
    assert any(
        b"ssh.authorized_keys.root" in path.read_bytes() for path in tmp_path.glob("credential-*")
    )


def test_every_boot_of_a_machine_has_the_key_of_its_first(attempt, tmp_path):
    """systemd writes it into root's account once, and no other afterwards."""
    made = []

    def run(command):
        if command.argv[0] == "ssh-keygen":
            made.append(command)
            (tmp_path / "key").write_text("private")
            (tmp_path / "key.pub").write_text(f"ssh-ed25519 AAAA{len(made)} boot\n")
        return Host(answers=answer("end", "")).run(command)

    for _ in range(2):
        boot(run, replace(attempt, asked=(SSH,)))
    assert len(made) == 1


def started_with(host):
    return [
        words[words.index("-accel") + 1].partition(",")[0]
        for words in (list(command.argv) for command in host.started)
    ]


def test_of_a_run_only_the_first_machine_asks_whether_kvm_works(attempt):
    host, kvm = Host(answers=answer("end", ""), accelerators=("kvm",)), Kvm()
    found = [kvm.boot(host.run, with_kvm(attempt)) for _ in range(3)]
    assert started_with(host) == ["kvm", "tcg", "tcg", "tcg"]
    assert [result.accelerator for result, _ in found] == ["tcg"] * 3
    assert all("Assertion failed" in why for _, why in found), "each report says why"


def test_where_kvm_works_every_machine_has_it(attempt):
    host, kvm = Host(answers=answer("end", "")), Kvm()
    assert [kvm.boot(host.run, with_kvm(attempt))[1] for _ in range(2)] == ["", ""]
    assert started_with(host) == ["kvm", "kvm"]


def test_an_image_that_fails_says_nothing_about_kvm(attempt):
    kvm = Kvm()
    with pytest.raises(CheckError, match="panicked"):
        kvm.boot(Host(console="Kernel panic - not syncing: x\n").run, with_kvm(attempt))
    host = Host(answers=answer("end", ""), accelerators=("kvm",))
    assert kvm.boot(host.run, with_kvm(attempt))[0].accelerator == "tcg"


def test_machines_that_start_at_once_ask_once(attempt):
    host, kvm = Host(answers=answer("end", ""), accelerators=("kvm",)), Kvm()
    threads = []
    for number in range(4):
        folder = attempt.folder / str(number)
        folder.mkdir()
        machine = replace(
            attempt.machine, accelerator="kvm",
            console=folder / "console.log", answers=folder / "answers",
        )  # fmt: skip
        own = replace(attempt, machine=machine, folder=folder)
        threads.append(threading.Thread(target=kvm.boot, args=(host.run, own)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(started_with(host)) == ["kvm"] + ["tcg"] * 4
