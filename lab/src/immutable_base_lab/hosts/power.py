"""Starting a host's machine, which outlives the command, and switching it off."""

from __future__ import annotations

import time
from dataclasses import replace

from immutable_base.boot import disk
from immutable_base.boot.credentials import write_credentials
from immutable_base.boot.watch import SILENCE, Watch
from immutable_base.errors import CommandError, HostError
from immutable_base.process import Command, LineSink, run
from immutable_base.tools import qemu, ssh
from immutable_base.workspace import exclusive
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.hosts.decide import require_running, require_stopped
from immutable_base_lab.hosts.folder import MARK, HostFolder, HostRecord, Running, all_hosts
from immutable_base_lab.hosts.guest import UP, host_credentials
from immutable_base_lab.services.daemons import Daemon, is_alive, start_daemon

COMES_UP, GOES_DOWN, AGAIN = 600.0, 180.0, 60.0
"""Seconds; without KVM, beside a compiler. After the last a machine is told again to go down."""
PAUSE = 0.5
"""Seconds between two looks at a machine."""
REPAIRED = frozenset({0, 1})
"""Exit statuses of e2fsck(8): nothing to do, and done."""


def start(paths: LabPaths, host: HostFolder, registry: str, report: LineSink) -> Running:
    """Start a host with the first entry of its boot loader, and wait until it is up.

    `registry`: `127.0.0.1:port` of the lab's. Raises HostError if it runs already, ToolMissingError
    without QEMU, CommandError if it does not come up; then no machine is left.
    """
    with exclusive(host.path, option="--state"):
        require_stopped(host.name, host.pid)
        host.end_machines()
        record = host.record
        machine = _machine(paths, host, record, registry)
        try:
            for accelerator in dict.fromkeys((record.accelerator, "tcg")):
                report(f"starting with {accelerator}")
                running, silent = _attempt(host, replace(machine, accelerator=accelerator))
                if not (silent and accelerator == "kvm"):
                    host.write(replace(record, accelerator=accelerator))
                    return running
                host.end_machines()
        except BaseException:
            host.end_machines()
            raise
    raise HostError(f"the host `{host.name}` was started in no way")


def machine_of(host: HostFolder, record: HostRecord, kernel: qemu.BootFiles) -> qemu.Machine:
    """Return the machine with a host's disk, without anything of one start."""
    return qemu.Machine(
        accelerator=record.accelerator,
        memory_mib=record.memory_mib,
        cores=record.cores,
        disks=(qemu.Disk(path=host.disk, serial="root"),),
        kernel=kernel,
        console=host.console,
        answers=host.path / "answers",
    )


def _machine(paths: LabPaths, host: HostFolder, record: HostRecord, registry: str) -> qemu.Machine:
    found = host_credentials(
        host.name,
        ssh_key=host.key.with_suffix(".pub").read_text().strip(),
        registry=registry,
        authority=(paths.trust / "ca.pem").read_bytes(),
    )
    return replace(
        machine_of(host, record, _boot_files(host)),
        console_socket=host.console_socket,
        credentials=write_credentials(found, host.path),
        ssh_port=ssh.free_port(),
    )


def _boot_files(host: HostFolder) -> qemu.BootFiles:
    """Return what the boot loader would start by itself, read from the disk."""
    # A machine whose plug was pulled left a journal, and debugfs does not read that.
    check = ("e2fsck", "-p", str(host.disk))
    run(Command(argv=check, timeout=600, ok=REPAIRED))
    folder = host.path / "boot-files"
    entry = disk.read_boot(run, host.disk, folder)[0]
    return qemu.BootFiles(
        image=folder / "boot" / entry.kernel.lstrip("/"),
        initramfs=folder / "boot" / entry.initramfs.lstrip("/"),
        arguments=entry.arguments,
    )


def _attempt(host: HostFolder, machine: qemu.Machine) -> tuple[Running, bool]:
    """Start a machine and wait until it is up; tell also whether it has said nothing at all."""
    for path in (machine.console, machine.answers):
        path.unlink(missing_ok=True)
    log_file = host.path / "qemu.log"
    log_file.unlink(missing_ok=True)
    env = {MARK: str(host.path)}
    daemon = start_daemon(qemu.arguments(machine), log_file=log_file, env=env)
    running = Running(
        daemon=daemon, ssh_port=machine.ssh_port or 0, accelerator=machine.accelerator
    )
    host.write_running(running)
    watch = Watch(
        console=machine.console, answers=machine.answers,
        seconds=COMES_UP, silence=SILENCE[machine.accelerator],
    )  # fmt: skip
    while not (machine.answers.exists() and UP in machine.answers.read_text(errors="replace")):
        if not is_alive(daemon) or watch.stop():
            if watch.silent and machine.accelerator == "kvm":
                return running, True
            raise _not_up(host, watch.verdict or "QEMU ended")
        time.sleep(PAUSE)
    return running, False


def _not_up(host: HostFolder, why: str) -> CommandError:
    texts = [
        path.read_text(errors="replace").strip()
        for path in (host.path / "qemu.log", host.console)
        if path.exists()
    ]
    return CommandError(
        f"the host `{host.name}` did not come up: {why}",
        details="\n".join(texts)[-1500:],
        hint=f"all that its console showed: {host.console}",
    )


def stop(host: HostFolder, report: LineSink) -> bool:
    """Switch a host off; tell whether it went down by itself, as it should.

    One that does not within some time loses its power. Raises HostError if it does not run.
    """
    with exclusive(host.path, option="--state"):
        running = host.running
        if running is None:
            # What a killed `start` has left is no running host, and goes as well.
            host.end_machines()
        require_running(host.name, running.daemon.pid if running else None)
        return _power_off(host, report)


def _power_off(host: HostFolder, report: LineSink) -> bool:
    running = host.running
    if running is None:
        return True
    report("switching off")
    deadline = time.monotonic() + GOES_DOWN
    while is_alive(running.daemon) and time.monotonic() < deadline:
        # A machine under load may not let us in at once.
        ssh.tell(run, host.key, running.ssh_port, "systemctl --no-block poweroff")
        _await_end(running.daemon, min(deadline, time.monotonic() + AGAIN))
    by_itself = not is_alive(running.daemon)
    host.end_machines()
    return by_itself


def _await_end(daemon: Daemon, deadline: float) -> None:
    while is_alive(daemon) and time.monotonic() < deadline:
        time.sleep(PAUSE)


def restart(paths: LabPaths, host: HostFolder, registry: str, report: LineSink) -> Running:
    """Switch a host off and start what its boot loader then offers first.

    Raises HostError if it does not go down by itself: a deployment is finished on the way down.
    """
    if not stop(host, report):
        raise HostError(
            f"the host `{host.name}` did not switch off by itself, and lost its power",
            hint=f"what its console showed: {host.console}",
        )
    return start(paths, host, registry, report)


def stop_all(paths: LabPaths, report: LineSink) -> None:
    """Switch off every host of a lab that runs."""
    for host in all_hosts(paths).values():
        if host.pid is not None:
            stop(host, report)
        host.end_machines()
