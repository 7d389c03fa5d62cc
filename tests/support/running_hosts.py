"""A host that runs while a test talks to it: its disk outlives its boots, and it knows the registry."""

from __future__ import annotations

import base64
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from immutable_base import process
from immutable_base.boot import disk
from immutable_base.boot.credentials import write_credentials
from immutable_base.tools import qemu, ssh

COMES_UP, GOES_DOWN, ANSWERS = 240, 120, 300
"""Seconds; without KVM, beside a compiler."""
CONTAINER = "/usr/libexec/libostree/ext/ostree-container container"
PROXY = "/usr/lib/systemd/systemd-socket-proxyd"
SLIRP = "10.0.2.2"
"""The host of QEMU's user network: its loopback."""


@dataclass(frozen=True)
class Answer:
    """What a command on the host printed, and how it ended."""

    status: int
    text: str


@dataclass
class Host:
    """A machine that was installed; `machine` is what starts it next."""

    machine: qemu.Machine
    folder: Path
    registry: str
    """Host and port, on this machine's loopback."""
    authority: bytes
    """The registry's CA."""
    port: int = 0

    @contextmanager
    def up(self) -> Iterator[Host]:
        """Run it for the block's time, and switch it off as one does."""
        self.port = ssh.free_port()
        key = self.folder / "key"
        key.unlink(missing_ok=True)
        handed_in = {"ssh.authorized_keys.root": ssh.make_key(process.run, key)}
        machine = replace(
            self.machine, accelerator="tcg", ssh_port=self.port,
            credentials=write_credentials(handed_in, self.folder),
        )  # fmt: skip
        ended = threading.Event()
        thread = threading.Thread(target=self._run, args=(machine, ended), daemon=True)
        thread.start()
        try:
            self._wait(thread)
            self._reach_the_registry()
            yield self
            # The session ends before the machine does.
            self.ask("systemd-run --on-active=1 systemctl poweroff")
            thread.join(GOES_DOWN)
            assert not thread.is_alive(), self.console()
        finally:
            ended.set()
            thread.join(GOES_DOWN)

    def _run(self, machine: qemu.Machine, ended: threading.Event) -> None:
        qemu.start(process.run, machine, seconds=1800, until=ended.is_set)

    def _wait(self, thread: threading.Thread) -> None:
        end = time.monotonic() + COMES_UP
        while time.monotonic() < end and thread.is_alive():
            if self.ask("true").status == 0:
                return
            time.sleep(2)
        raise AssertionError(f"the host cannot be reached:\n{self.console()}")

    def console(self) -> str:
        """Return the end of what its console showed."""
        return self.machine.console.read_text(errors="replace")[-3000:]

    def ask(self, command: str) -> Answer:
        """Run a command as root."""
        argv = (
            "ssh", "-F", "none", "-i", self.folder / "key", "-p", self.port, "-o", "BatchMode=yes",
            "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "LogLevel=ERROR",
            "-o", "ConnectTimeout=15", "root@127.0.0.1", command,
        )  # fmt: skip
        done = subprocess.run(
            list(map(str, argv)), capture_output=True, text=True, timeout=ANSWERS, check=False
        )
        return Answer(done.returncode, f"{done.stdout}{done.stderr}".strip())

    def _reach_the_registry(self) -> None:
        """The registry is on this machine's loopback, and so it seems on the host."""
        port, encoded = self.registry.rpartition(":")[2], base64.b64encode(self.authority).decode()
        folder = f"/etc/containers/certs.d/{self.registry}"
        steps = (
            f"mkdir -p {folder}",
            f"echo {encoded} | base64 -d > {folder}/ca.crt",
            f"systemd-run --quiet --socket-property=ListenStream=127.0.0.1:{port} {PROXY} {SLIRP}:{port}",
        )
        done = self.ask(" && ".join(steps))
        assert done.status == 0, done.text

    def upgrade(self, reference: str) -> Answer:
        """Fetch and deploy an image as bootc does, where the image enforces its policy."""
        return self.ask(
            f"{CONTAINER} image deploy --sysroot=/ --stateroot=default "
            f"--imgref=ostree-image-signed:docker://{reference}"
        )

    def booted(self) -> str:
        """Return the digest of the image that runs, as ostree knows it."""
        return self.ask(
            "commit=$(ostree admin status | sed -n 's/^[*] [^ ]* \\([0-9a-f]*\\).*/\\1/p'); "
            'ostree show --print-metadata-key=ostree.manifest-digest "$commit"'
        ).text.strip("'")

    def choose(self, number: int) -> None:
        """Start the entry of this number next; a boot loader takes 0 by itself, 1 is the one before."""
        files = self.folder / "boot-files"
        entry = disk.read_boot(process.run, self.machine.disks[0].path, files)[number]
        kernel = replace(
            self.machine.kernel,
            image=files / "boot" / entry.kernel.lstrip("/"),
            initramfs=files / "boot" / entry.initramfs.lstrip("/"),
            arguments=entry.arguments,
        )
        self.machine = replace(self.machine, kernel=kernel)
