"""Images of the tiny stream, started as machines: what goes well, and each way in which it does not.

The machines are real, without KVM where this host's does not work, so a whole boot takes half a
minute; faults that a kernel meets early take a few seconds.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import threading
import time
from dataclasses import replace
from pathlib import Path

import pytest

from immutable_base import process
from immutable_base.boot import watch
from immutable_base.boot.answers import read_answers
from immutable_base.boot.machine import BootAttempt, boot, boot_anyhow
from immutable_base.boot.questions import ALWAYS, GuestQuestion
from immutable_base.errors import CheckError, CommandError
from support.machines import prepared_machine

NAME = "tiny-metronome"
NONCE = "5e" * 16
KERNEL = next(it for it in ALWAYS if it.name == "kernel")


@pytest.fixture(scope="module")
def elsewhere(tiny_lab, tiny_night):
    """The documents and layouts of the night, copied as to another machine."""
    workspace = tiny_lab.scratch / "boot"
    shutil.rmtree(workspace, ignore_errors=True)
    shutil.copytree(tiny_night.workspace / "tonight", workspace / "tonight", copy_function=os.link)
    yield workspace
    shutil.rmtree(workspace, ignore_errors=True)


@pytest.fixture(scope="module")
def booted(tiny_lab, elsewhere):
    """The command, with the configuration that a user has: a boot is required."""
    env = {
        "IMMUTABLE_BASE_CONFIG": str(tiny_lab.configuration.parent.parent / "immutable-base.toml")
    }
    done = tiny_lab.product("boot", "--variant", NAME, env=env, workspace=elsewhere, timeout=900)
    path = elsewhere / f"tonight/boot/{NAME}.json"
    assert path.exists(), done.stderr
    return done, json.loads(path.read_text())


def test_an_image_boots_and_keeps_every_promise(booted, elsewhere):
    done, report = booted
    wrong = [it for it in report["findings"] if it["level"] == "error"]
    assert (done.returncode, wrong) == (0, [])
    assert report["verdict"] == "booted"
    layout = json.loads((elsewhere / f"tonight/oci/{NAME}.json").read_text())
    assert report["digest"] == layout["digest"]


def test_it_was_asked_of_the_machine_itself(booted, elsewhere):
    (boot,) = booted[1]["boots"]
    answers = {it["question"]: it["text"] for it in boot["answers"]}
    plan = json.loads((elsewhere / "tonight/plan.json").read_text())
    variant = next(it for it in plan["variants"] if it["name"] == NAME)
    assert answers["kernel"] == variant["kernel"]["chosen"]
    assert booted[1]["digest"] in answers["image"]
    assert boot["targets"]["multi-user.target"] > boot["targets"]["sysinit.target"] > 0
    assert any(it["id"] == "boot-1-module-metronome" for it in booted[1]["findings"])


def test_its_console_is_kept_and_nothing_else(booted, elsewhere):
    folder = elsewhere / f"tonight/boot/{NAME}"
    assert [path.name for path in folder.iterdir()] == ["console-1.log"]
    assert "Linux version" in (folder / "console-1.log").read_text(errors="replace")


# ------------------------------------------------------------------ what goes wrong


@pytest.fixture(scope="module")
def attempt(elsewhere, tmp_path_factory):
    """A machine with the image on its disk, which forgets everything that is written."""
    folder = tmp_path_factory.mktemp("machine")
    machine, _ = prepared_machine(elsewhere / "tonight", NAME, folder)
    (disk,) = machine.disks
    machine = replace(machine, accelerator="tcg", disks=(replace(disk, discard=True),))
    return BootAttempt(machine=machine, asked=(KERNEL,), nonce=NONCE, folder=folder, seconds=900)


def with_arguments(attempt, arguments):
    kernel = attempt.machine.kernel
    changed = replace(kernel, arguments=f"{kernel.arguments} {arguments}")
    return replace(attempt, machine=replace(attempt.machine, kernel=changed))


def refused(attempt):
    with pytest.raises(CheckError, match="did not come up") as caught:
        boot(process.run, attempt)
    return str(caught.value)


def test_a_kernel_that_panics(attempt):
    assert "the kernel panicked: Kernel panic" in refused(
        with_arguments(attempt, "rdinit=/nothing")
    )


def test_a_machine_without_the_memory_that_it_needs(attempt):
    small = replace(attempt, machine=replace(attempt.machine, memory_mib=96), seconds=60)
    assert "anic" in refused(small)


def test_a_root_that_is_not_there(attempt):
    nowhere = with_arguments(attempt, "root=/dev/disk/by-id/virtio-nothing rd.timeout=3 rd.retry=3")
    assert "the initramfs did not find the root" in refused(nowhere)


def test_a_machine_that_hangs(attempt):
    assert "did not end within 5 s" in refused(replace(attempt, seconds=5))


def test_a_machine_that_powers_off_without_an_answer(attempt):
    off = with_arguments(attempt, "rd.systemd.unit=poweroff.target systemd.unit=poweroff.target")
    assert "powered off without an answer" in refused(off)


# Real boots take longest: what is asked of a machine that comes up is asked of one.


@pytest.fixture(scope="module")
def answered(attempt):
    """A boot with KVM where that works, what was told of it, and the bytes that came back."""
    fill = GuestQuestion(name="fill", script="fallocate --length 1G --keep-size /var/full; "
                         "fallocate --length 9G /var/more")  # fmt: skip
    asked = replace(
        attempt, machine=replace(attempt.machine, accelerator="kvm"), asked=(fill, KERNEL)
    )
    result, why = boot_anyhow(process.run, asked)
    return result, why, attempt.machine.answers.read_bytes()


def test_kvm_that_does_not_work_is_done_without_and_told(answered):
    """Some hosts let a machine be made and run none: there the fault is real."""
    result, why, _ = answered
    assert (result.accelerator == "kvm") == (why == "")
    assert result.answer("kernel").status == 0


def test_a_full_disk_is_an_answer(answered):
    result, _, _ = answered
    assert "No space left on device" in result.answer("fill").text
    assert result.answer("kernel").status == 0


def test_an_answer_with_another_nonce(answered):
    """What a machine says that was handed one nonce is nothing to who expects another."""
    _, _, raw = answered
    assert read_answers(raw, NONCE).complete
    other = read_answers(raw, "0" * 32)
    assert "another nonce" in other.refused
    assert other.answers == ()


def test_a_console_that_is_flooded(attempt, monkeypatch):
    """By the kernel's own words, of which there are more than this limit allows."""
    monkeypatch.setattr(watch, "CONSOLE_LIMIT", 1 << 12)
    assert "flooded its console" in refused(attempt)


def test_a_port_that_is_flooded(attempt, monkeypatch):
    monkeypatch.setattr(watch, "ANSWERS_LIMIT", 1 << 18)
    flood = GuestQuestion(name="flood", script="yes >&3")
    assert "flooded its port" in refused(replace(attempt, asked=(flood,)))


def test_qemu_that_is_killed(attempt):
    def kill():
        for _ in range(100):
            time.sleep(0.1)
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                words = path.read_bytes() if path.exists() else b""
                if words.startswith(b"qemu-system") and str(attempt.folder).encode() in words:
                    os.kill(int(path.parent.name), signal.SIGKILL)
                    return

    killer = threading.Thread(target=kill)
    killer.start()
    with pytest.raises(CommandError, match="ended by SIGKILL"):
        boot(process.run, attempt)
    killer.join()
