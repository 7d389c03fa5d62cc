"""A host's folder: what it is made of, and which machine runs it now.

A machine is known by its process and when that was started, and carries the folder in its
environment: one that a killed `start` did not record is found all the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from immutable_base.errors import HostError
from immutable_base.workspace import write_atomically
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.hosts.decide import require_known, require_name
from immutable_base_lab.services.daemons import Daemon, find_marked, is_alive, stop_daemon

MARK = "IMMUTABLE_BASE_LAB_HOST"
SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class HostRecord:
    """The content of host.json."""

    schema_version: int = SCHEMA_VERSION
    image: str
    """Where it looks for updates: a repository with a tag, or a digest that it stays at."""
    digest: str
    """Of the image that it was installed with."""
    memory_mib: int
    cores: int
    accelerator: str
    """QEMU's, which is tried first; `tcg` once KVM was seen not to work."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """The content of running.json."""

    daemon: Daemon
    ssh_port: int
    accelerator: str


_RECORD, _RUNNING = TypeAdapter(HostRecord), TypeAdapter(Running)


@dataclass(frozen=True, slots=True, kw_only=True)
class HostFolder:
    """One host's folder."""

    path: Path

    @property
    def name(self) -> str:
        """The host's name."""
        return self.path.name

    @property
    def disk(self) -> Path:
        """Its disk, which outlives its machine."""
        return self.path / "root.raw"

    @property
    def console(self) -> Path:
        """What its serial console has shown since it was started."""
        return self.path / "console.log"

    @property
    def console_socket(self) -> Path:
        """Where somebody may sit at it."""
        return self.path / "console"

    @property
    def key(self) -> Path:
        """The key that may log in."""
        return self.path / "key"

    @property
    def record(self) -> HostRecord:
        """What it is made of. Raises HostError if the file is not one of this version's."""
        file = self.path / "host.json"
        try:
            record = _RECORD.validate_json(file.read_bytes())
        except ValidationError as error:
            raise HostError(
                f"{file} does not describe a host", details=str(error), hint=f"remove {self.path}"
            ) from error
        if record.schema_version != SCHEMA_VERSION:
            raise HostError(
                f"{file} was written by another version of the lab", hint=f"remove {self.path}"
            )
        return record

    def write(self, record: HostRecord) -> None:
        """Write what it is made of."""
        write_atomically(self.path / "host.json", _RECORD.dump_json(record, indent=2) + b"\n")

    @property
    def running(self) -> Running | None:
        """The machine that runs it, None if none does."""
        file = self.path / "running.json"
        try:
            found = _RUNNING.validate_json(file.read_bytes())
        except (FileNotFoundError, ValidationError):
            return None
        return found if is_alive(found.daemon) else None

    @property
    def pid(self) -> int | None:
        """The process of that machine."""
        running = self.running
        return running.daemon.pid if running else None

    def write_running(self, running: Running) -> None:
        """Record the machine that was started."""
        write_atomically(self.path / "running.json", _RUNNING.dump_json(running, indent=2) + b"\n")

    def end_machines(self, *, grace: float = 20) -> None:
        """End every machine of this host, recorded or not, as by pulling its plug."""
        for daemon in find_marked(MARK, str(self.path)):
            stop_daemon(daemon, grace=grace)
        (self.path / "running.json").unlink(missing_ok=True)


def all_hosts(paths: LabPaths) -> dict[str, HostFolder]:
    """Return every host of a lab, by name."""
    found = paths.hosts.glob("*/host.json")
    return {it.parent.name: HostFolder(path=it.parent) for it in sorted(found)}


def find_host(paths: LabPaths, name: str) -> HostFolder:
    """Return a host. Raises ConfigurationError if there is none of this name."""
    hosts = all_hosts(paths)
    require_known(require_name(name), hosts)
    return hosts[name]
