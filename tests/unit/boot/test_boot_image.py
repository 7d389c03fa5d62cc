"""An image's boots: how often, and how each machine ends."""

from types import SimpleNamespace

import pytest

from immutable_base.boot import boot_image as room
from immutable_base.boot.boot_image import BootRequest, boot_image
from immutable_base.config.boot import BootSettings
from immutable_base.model.boot import Boot
from immutable_base.process import run
from immutable_base.tools import qemu
from support.sound_image import FACTS, PLAN


@pytest.mark.parametrize(
    ("plan", "ends"),
    [(PLAN, ["powers off", "is ended"]), (PLAN.model_copy(update={"modules": ()}), ["is ended"])],
    ids=["with pools", "without"],
)
def test_only_a_machine_that_boots_again_powers_off(plan, ends, tmp_path, monkeypatch):
    seen = []

    def one_boot(_, attempt):
        seen.append("powers off" if attempt.powers_off else "is ended")
        console = attempt.machine.console.name
        return Boot(accelerator="tcg", seconds=1, targets={}, console=console, answers=()), ""

    machine = qemu.Machine(
        accelerator="tcg", memory_mib=512, cores=1, disks=(), kernel=None,
        console=tmp_path / "console.log", answers=tmp_path / "answers",
    )  # fmt: skip
    monkeypatch.setattr(room, "prepare", lambda *_: machine)
    request = BootRequest(
        variant=plan, facts=FACTS, layout=tmp_path, digest="sha256:" + "a" * 64,
        origin="r/x:latest", folder=tmp_path / "boots", settings=BootSettings(),
        kvm=SimpleNamespace(boot=one_boot),
    )  # fmt: skip
    booted = boot_image(run, None, request, lambda _: None)
    assert seen == ends
    assert [it.console for it in booted.boots] == [f"console-{n + 1}.log" for n in range(len(ends))]
