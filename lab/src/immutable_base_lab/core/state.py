"""What the lab remembers between commands: ports and daemons."""

from __future__ import annotations

import fcntl
import os
import threading
from collections.abc import Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pydantic import TypeAdapter, ValidationError

from immutable_base.errors import HostError
from immutable_base_lab.services.daemons import Daemon

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

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
        """Apply `edit` to the newest state and write the outcome."""
        with self._lock:
            self._state = edit(self._state)
            _write(self._path, _FORMAT.dump_json(self._state, indent=2) + b"\n")
            return self._state

    def set_ports(self, ports: Mapping[str, int]) -> None:
        """Remember the ports."""
        self.change(lambda state: replace(state, ports=dict(ports)))

    def add_daemon(self, name: str, started: Started) -> None:
        """Remember a daemon."""
        self.change(lambda state: replace(state, daemons={**state.daemons, name: started}))

    def forget_daemon(self, name: str) -> None:
        """Forget a daemon that has ended."""
        self.change(
            lambda state: replace(
                state, daemons={one: it for one, it in state.daemons.items() if one != name}
            )
        )


def _read(path: Path) -> LabState:
    if not path.exists():
        return LabState()
    try:
        state = _FORMAT.validate_json(path.read_bytes())
    except ValidationError as error:
        message = f"{path} is not a state of the lab"
        hint = f"remove {path}; `lab up` then chooses new ports"
        raise HostError(message, details=str(error), hint=hint) from error
    if state.schema_version != SCHEMA_VERSION:
        message = f"{path} was written by another version of the lab"
        raise HostError(message, hint="end that lab with its own version, or use another `--state`")
    return state


def _write(path: Path, content: bytes) -> None:
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lab's lock; it goes with the process, however that ends.

    Raises HostError if another `up` or `down` holds it.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            message = f"another command works on the lab in {path.parent}"
            raise HostError(
                message, hint="wait until it has ended, or use another `--state`"
            ) from None
        yield
