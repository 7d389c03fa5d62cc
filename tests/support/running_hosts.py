"""A host that runs while a test talks to it: its disk outlives its boots, and it knows the registry."""

from __future__ import annotations

import base64
import contextlib
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from immutable_base import process
from immutable_base.boot import disk
from immutable_base.boot.credentials import write_credentials
from immutable_base.boot.machine import STALE_CODE
from immutable_base.tools import qemu

COMES_UP, GOES_DOWN, ANSWERS = 300, 120, 300
"""Seconds; without KVM, beside a compiler."""
UNIT, PORT = "talk.service", "talk"
TALK = """\
exec 3<>/dev/virtio-ports/talk
while :; do
    IFS= read -r asked <&3 || { sleep 0.2; continue; }
    command=$(printf %s "$asked" | base64 -d)
    text=$(timeout 280 sh -c "$command" 2>&1 </dev/null); status=$?
    printf '%d %s\\n' "$status" "$(printf %s "$text" | base64 -w0)" >&3
done
"""
"""Reads a command on a line in base64 and answers with its status and what it printed. A read finds
an end, again and again, while nobody is at the other side."""
SERVICE = """\
[Service]
Type=exec
ImportCredential=talk.*
ExecStart=/bin/sh ${CREDENTIALS_DIRECTORY}/talk.script
"""
CONTAINER = "/usr/libexec/libostree/ext/ostree-container container"
ACCURATE = "--timer-property=AccuracySec=100ms"
"""Else a timer may wait for a minute."""
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
    _talk: socket.socket | None = None

    @contextmanager
    def up(self) -> Iterator[Host]:
        """Run it for the block's time, and switch it off as one does."""
        with contextlib.ExitStack() as stack:
            thread = self._start(stack)
            self._reach_the_registry()
            yield self
            # The answer comes before the machine goes.
            self.ask(f"systemd-run --quiet --on-active=1 {ACCURATE} systemctl poweroff")
            thread.join(GOES_DOWN)
            assert not thread.is_alive(), self.console()

    def _start(self, stack: contextlib.ExitStack) -> threading.Thread:
        """Start the machine, and again if QEMU has run what the kernel had replaced."""
        try:
            return stack.enter_context(self._started())
        except (AssertionError, ConnectionError):
            if STALE_CODE not in self.machine.console.read_bytes():
                raise
        return stack.enter_context(self._started())

    @contextmanager
    def _started(self) -> Iterator[threading.Thread]:
        """Start the machine and wait until it answers; end it after the block, if it has not."""
        handed_in = {
            f"systemd.extra-unit.{UNIT}": SERVICE,
            "systemd.unit-dropin.multi-user.target": f"[Unit]\nWants={UNIT}\n",
            "talk.script": TALK,
        }
        ended = threading.Event()
        # Not in the host's folder: the name of a socket has 107 characters at most.
        with tempfile.TemporaryDirectory() as folder, socket.socket(socket.AF_UNIX) as self._talk:
            place = f"{folder}/talk"
            machine = replace(
                self.machine, accelerator="tcg",
                credentials=write_credentials(handed_in, self.folder),
                extra=(
                    "-chardev", f"socket,id=talk,path={place},server=on,wait=off",
                    "-device", f"virtserialport,chardev=talk,name={PORT}",
                ),
            )  # fmt: skip
            thread = threading.Thread(target=self._run, args=(machine, ended), daemon=True)
            thread.start()
            try:
                self._connect(place)
                yield thread
            finally:
                ended.set()
                thread.join(GOES_DOWN)

    def _run(self, machine: qemu.Machine, ended: threading.Event) -> None:
        qemu.start(process.run, machine, seconds=1800, until=ended.is_set)

    def _connect(self, place: str) -> None:
        """Wait until the machine is up; what is sent earlier waits for it."""
        end = time.monotonic() + 20
        while not Path(place).exists() and time.monotonic() < end:
            time.sleep(0.1)
        self._talk.connect(place)
        try:
            assert self.ask("true", seconds=COMES_UP).status == 0
        except TimeoutError:
            raise AssertionError(f"the host does not answer:\n{self.console()}") from None

    def console(self) -> str:
        """Return the end of what its console showed."""
        return self.machine.console.read_text(errors="replace")[-3000:]

    def ask(self, command: str, seconds: float = ANSWERS) -> Answer:
        """Run a command as root; raises TimeoutError."""
        self._talk.settimeout(seconds)
        self._talk.sendall(base64.b64encode(command.encode()) + b"\n")
        line = b""
        while not line.endswith(b"\n"):
            more = self._talk.recv(65536)
            assert more, f"the host is gone:\n{self.console()}"
            line += more
        status, _, text = line.decode().strip().partition(" ")
        return Answer(int(status), base64.b64decode(text).decode("utf-8", "replace").strip())

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
        deploy = (
            f"{CONTAINER} image deploy --sysroot=/ --stateroot=default "
            f"--imgref=ostree-image-signed:docker://{reference}"
        )
        # In a mount namespace of its own, as bootc: for all others the disk stays read-only.
        writable = "for at in /sysroot /boot; do mount -o remount,rw $at 2>/dev/null; done"
        return self.ask(f"unshare --mount sh -c '{writable}; exec {deploy}'")

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
