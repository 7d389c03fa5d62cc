"""Looks at a machine from outside while it runs: what nothing good can come after ends it."""

from __future__ import annotations

import re
import time
from dataclasses import dataclass, field
from pathlib import Path
from shutil import disk_usage

MEBIBYTE = 1 << 20
CONSOLE_LIMIT, ANSWERS_LIMIT = 16 * MEBIBYTE, 4 * MEBIBYTE
"""Bytes; a console of a boot is some 50 KiB, its answers are less."""
ROOM = 4 * MEBIBYTE
"""Bytes: where less is free, a guest's next write, of which QEMU puts several together, may find
none; the machine then waits for it for ever (`werror=enospc`, QEMU's default)."""
SILENCE = {"kvm": 10.0, "tcg": 60.0}
"""Seconds within which a kernel has said its first word, by QEMU's accelerator."""
TAIL = 4096
"""Characters of the console that are kept to find a message that came in two pieces."""
FATAL = (
    (re.compile(r"Kernel panic - not syncing: [^\r\n]*"), "the kernel panicked"),
    (re.compile(r"Out of memory: Killed process [^\r\n]*"), "the machine ran out of memory"),
    (re.compile(r"dracut: FATAL: [^\r\n]*"), "the initramfs did not find the root"),
    (re.compile(r"dracut Warning: Could not boot[^\r\n]*"), "the initramfs did not find the root"),
    (re.compile(r"Dependency failed for [^\r\n]* /sysroot\.[^\r\n]*"),
     "the initramfs did not find the root"),
    (re.compile(r"ostree-prepare-root[^\r\n]*(?:error|failed)[^\r\n]*"),
     "the initramfs did not find the deployment"),
    (re.compile(r"You are in (?:emergency|rescue) mode[^\r\n]*"), "systemd gave up"),
    (re.compile(r"Entering emergency mode[^\r\n]*"), "the initramfs gave up"),
    (re.compile(r"Reached target emergency\.target[^\r\n]*"), "systemd gave up"),
)  # fmt: skip
"""What a console says when nothing good will follow, and what it means.

The words of systemd itself as well: a service's reach the console only while the journal forwards
them, and it may have ended before.
"""
_COLOUR = re.compile(r"\x1b\[[0-9;:]*m")


@dataclass(slots=True)
class Watch:
    """The console and the answers of one machine; `stop` is asked several times a second."""

    console: Path
    answers: Path
    seconds: float
    """After which the machine is ended."""
    silence: float
    """After which it is ended if its console has shown nothing."""
    folders: tuple[Path, ...] = ()
    """Where the machine's disks are, and what it writes."""
    verdict: str = ""
    """Why the machine was ended, or will not come up; empty while nothing speaks against it."""
    full: Path | None = None
    """The folder without room for it, if that is why: not a fault of the image."""
    started: float = field(default_factory=time.monotonic)
    _read: int = 0
    _tail: str = ""

    @property
    def silent(self) -> bool:
        """Whether the console has shown nothing at all so far."""
        return _size(self.console) == 0

    def stop(self) -> bool:
        """Tell whether the machine is to be ended now."""
        self.look()
        passed = time.monotonic() - self.started
        self.full = next((it for it in self.folders if disk_usage(it).free < ROOM), None)
        if self.full:
            self.verdict = f"the disk of {self.full} is full"
        if not self.verdict and passed > self.seconds:
            self.verdict = f"it did not end within {self.seconds:.0f} s"
        if not self.verdict and passed > self.silence and self.silent:
            self.verdict = f"the kernel said nothing for {self.silence:.0f} s"
        return bool(self.verdict)

    def look(self) -> None:
        """Read what is new on the console, and judge it."""
        for path, limit, name in (
            (self.console, CONSOLE_LIMIT, "console"), (self.answers, ANSWERS_LIMIT, "port"),
        ):  # fmt: skip
            if _size(path) > limit:
                self.verdict = f"it flooded its {name}: more than {limit // MEBIBYTE} MiB"
                return
        if self.verdict or not self.console.exists():
            return
        with self.console.open("rb") as file:
            file.seek(self._read)
            new = file.read()
        self._read += len(new)
        text = self._tail + new.decode("utf-8", "replace")
        self._tail = text[-TAIL:]
        plain = _COLOUR.sub("", text)
        for pattern, meaning in FATAL:
            if found := pattern.search(plain):
                self.verdict = f"{meaning}: {found[0].strip()}"
                return


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
