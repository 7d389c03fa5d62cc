"""What the lab records between commands: ports and daemons."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from immutable_base.errors import HostError
from immutable_base.workspace import write_atomically
from immutable_base_lab.services.daemons import Daemon

SCHEMA_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Started:
    """A daemon of ours, and a key of the command line and files that it was started with."""

    daemon: Daemon
    key: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LabState:
    """The content of state.json."""

    schema_version: int = SCHEMA_VERSION
    ports: Mapping[str, int] = field(default_factory=dict)
    daemons: Mapping[str, Started] = field(default_factory=dict)


_FORMAT = TypeAdapter(LabState)


class StateStore:
    """Reads and changes state.json; every change is on disk before the call returns."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._state = _read(path)

    @property
    def state(self) -> LabState:
        """The state as it is now."""
        return self._state

    def change(self, edit: Callable[[LabState], LabState]) -> LabState:
        """Apply `edit` to the newest state and write the result."""
        with self._lock:
            self._state = edit(self._state)
            write_atomically(self._path, _FORMAT.dump_json(self._state, indent=2) + b"\n")
            return self._state

    def set_ports(self, ports: Mapping[str, int]) -> None:
        """Record the ports."""
        self.change(lambda state: replace(state, ports=dict(ports)))

    def add_daemon(self, name: str, started: Started) -> None:
        """Record a daemon."""
        self.change(lambda state: replace(state, daemons={**state.daemons, name: started}))

    def remove_daemon(self, name: str) -> None:
        """Remove the record of a daemon that has ended."""
        self.change(
            lambda state: replace(
                state, daemons={key: it for key, it in state.daemons.items() if key != name}
            )
        )


def _read(path: Path) -> LabState:
    if not path.exists():
        return LabState()
    try:
        state = _FORMAT.validate_json(path.read_bytes())
    except ValidationError as error:
        raise HostError(
            f"{path} is not a state of the lab",
            details=str(error),
            hint=f"remove {path}; `lab up` then chooses new ports",
        ) from error
    if state.schema_version != SCHEMA_VERSION:
        raise HostError(
            f"{path} was written by another version of the lab",
            hint="end that lab with its own version, or use another `--state`",
        )
    return state


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service as `lab status` shows it."""

    name: str
    pid: int | None
    ports: tuple[int, ...]
    alive: bool
