"""What a boot costs: the disk, the machine, an upgrade on it, and what it adds to a night.

As a program (`booting.py TONIGHT VARIANT ACCELERATOR`): one disk and one boot, told as JSON. By
itself, because the memory of what a process has started is told as the most of any of it.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

from common import CONFIG, SETTINGS, TINY, WORK, Row, timed
from nights import night

from immutable_base import process
from immutable_base.boot.machine import BootAttempt, boot
from immutable_base.boot.questions import ALWAYS
from immutable_base.config.module_signing import ModuleSigning
from immutable_base.errors import ImmutableBaseError
from immutable_base.module_signing import open_module_key, read_signer
from immutable_base.tools.qemu import kvm_opens
from immutable_base_lab.core import module_keys
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.hosts import change
from immutable_base_lab.hosts.decide import upgrade_command
from immutable_base_lab.hosts.folder import find_host
from support.changed_configuration import NO_BOOTS, change_configuration
from support.machines import prepared_machine

NAME, OTHER = "tiny-metronome", "tiny"
LAB = (sys.executable, "-m", "immutable_base", "lab", "host")
STATE = ("--state", str(CONFIG.parent))
HOST = "bench"
MODULE_MIB, SIGNATURES = 4, 20
SECONDS = 900


def boot_rows() -> list[Row]:
    """Measure boots of the tiny stream's images, which `tiny_rows` has published."""
    booted, report = night(TINY, (), workers=2)
    rows = _machine_rows(Path(report["documents"]))
    folder = WORK / "no-boots"
    folder.mkdir()
    plain, _ = night(change_configuration(TINY, folder, NO_BOOTS), (), workers=2)
    what = "a night on the tiny stream, against the same without boots"
    return [*rows, *_upgrade_rows(), _signing_row(), Row(what, booted, plain, "≤ 1.15", digits=0)]


def _machine_rows(tonight: Path) -> list[Row]:
    rows = []
    for accelerator in ("kvm", "tcg") if kvm_opens() else ("tcg",):
        done = subprocess.run(
            (sys.executable, __file__, str(tonight), NAME, accelerator),
            stdout=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
        if done.returncode and accelerator == "kvm":
            continue  # It opens and runs nothing: some hosts are so.
        done.check_returncode()
        found, on = json.loads(done.stdout), f"of `{NAME}` with {accelerator.upper()}"
        rows += [
            Row(f"a boot {on}", found["boot"], None, "≤ 25 s", digits=0),
            Row(f"memory of a boot {on}", found["memory"], None, "-", digits=0, unit="MiB"),
        ]
        disk = Row(f"a disk of `{NAME}`'s image", found["disk"], None, "-", digits=0)
    return [disk, *rows]


def measure(tonight: Path, name: str, accelerator: str) -> dict[str, float]:
    """Make one disk and boot it once; seconds, and MiB of the largest program that this took."""
    with tempfile.TemporaryDirectory(dir=WORK) as scratch:
        started = time.monotonic()
        machine, _ = prepared_machine(tonight, name, Path(scratch))
        disk = time.monotonic() - started
        machine = replace(machine, accelerator=accelerator)
        attempt = BootAttempt(
            machine=machine, asked=ALWAYS, nonce="5e" * 16, folder=Path(scratch), seconds=SECONDS
        )
        seconds = boot(process.run, attempt).seconds
    memory = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return {"disk": disk, "boot": seconds, "memory": memory}


def _upgrade_rows() -> list[Row]:
    """Measure an upgrade on a host, and its restart with what it fetched."""
    timed(*LAB, "create", HOST, "--image", NAME, *STATE)
    try:
        timed(*LAB, "start", HOST, *STATE)
        host = find_host(LabPaths(root=CONFIG.parent), HOST)
        reference = f"{SETTINGS['registry']['destination']}/{OTHER}:latest"
        started = time.monotonic()
        change.ask(host, upgrade_command(reference), seconds=SECONDS)
        fetched = time.monotonic() - started
        started = time.monotonic()
        timed(*LAB, "stop", HOST, *STATE)
        timed(*LAB, "start", HOST, *STATE)
        restarted = time.monotonic() - started
        on = find_host(LabPaths(root=CONFIG.parent), HOST).record.accelerator.upper()
    finally:
        timed(*LAB, "stop", HOST, *STATE, ok=(0, 4))
        timed(*LAB, "remove", HOST, *STATE)
    return [
        Row(f"an upgrade through the registry, on a host with {on}", fetched, None, "-", digits=0),
        Row(f"its restart with the new image, with {on}", restarted, None, "-", digits=0),
    ]


def _signing_row() -> Row:
    """Measure the signature of a module as large as OpenZFS'."""
    paths = LabPaths(root=CONFIG.parent)
    table = ModuleSigning(**module_keys.settings(paths.module_keys))
    signer = read_signer(table, CONFIG.parent, now=time.time())
    environment = module_keys.environment(paths.module_keys)
    key = open_module_key(process.run, signer, environment)
    module, seconds = os.urandom(MODULE_MIB << 20), []
    for _ in range(SIGNATURES):
        started = time.monotonic()
        key.sign(module)
        seconds.append(time.monotonic() - started)
    what = f"the signature of a module of {MODULE_MIB} MiB, median of {SIGNATURES}"
    return Row(what, statistics.median(seconds), None, "-", digits=3)


if __name__ == "__main__":
    try:
        print(json.dumps(measure(Path(sys.argv[1]), *sys.argv[2:])))
    except ImmutableBaseError as error:
        raise SystemExit(str(error)) from error
