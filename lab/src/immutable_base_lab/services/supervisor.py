"""Starting and ending the lab's daemons, each exactly once."""

from __future__ import annotations

import contextlib
import logging
import os
import shlex
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import httpx
import tenacity

from immutable_base.errors import CommandError, HostError
from immutable_base_lab.core import cache, ports
from immutable_base_lab.core.state import Started, StateStore
from immutable_base_lab.services.daemons import (
    Daemon,
    is_alive,
    start_daemon,
    start_ticks,
    stop_daemon,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

log = logging.getLogger(__name__)

# Every daemon carries this variable with its lab's state folder as value. An `up` that is killed
# between starting a daemon and writing it down leaves a process that is still known as ours.
MARK = "IMMUTABLE_BASE_LAB_DAEMON"


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A daemon of the lab."""

    name: str
    argv: tuple[str, ...]
    ports: tuple[int, ...]
    """All ports that it listens on."""
    probe: Callable[[], None]
    """Returns when the service answers; raises OSError or httpx.HTTPError while it does not."""
    inputs: tuple[Path, ...] = ()
    """Files whose change asks for a restart."""
    env: Mapping[str, str] = field(default_factory=dict)
    patience: float = 60
    """Seconds that it may take until it answers."""
    grace: float = 20
    """Seconds that it may take to end in order."""

    @property
    def key(self) -> str:
        """A digest of all that decides how the service runs."""
        contents = [path.read_bytes().hex() for path in self.inputs]
        return cache.key_of(self.argv, dict(self.env), contents)


class _NotYetError(Exception):
    """The service does not answer yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervisor:
    """Starts services and ends them, and keeps the state file true all along."""

    root: Path
    log_folder: Path
    store: StateStore

    def ensure(self, service: Service) -> bool:
        """Start the service unless it runs as it should; tell whether it had to be started.

        Raises HostError if somebody else has its port, CommandError if it ends or never answers.
        """
        started = self.store.state.daemons.get(service.name)
        if started is not None:
            if is_alive(started.daemon) and started.key == service.key:
                self._wait(service, started.daemon)
                return False
            self.end(service.name, grace=service.grace)
        _demand_free(service)
        self._start(service)
        return True

    def end(self, name: str, *, grace: float = 20) -> None:
        """End the service if it runs, and forget it."""
        started = self.store.state.daemons.get(name)
        if started is not None:
            stop_daemon(started.daemon, grace=grace)
            self.store.forget_daemon(name)

    def end_strays(self) -> int:
        """End daemons of this lab that the state file does not know; return how many there were."""
        known = {started.daemon for started in self.store.state.daemons.values()}
        strays = [daemon for daemon in marked_daemons(self.root) if daemon not in known]
        for daemon in strays:
            log.info("ending process %d, left behind by an earlier `lab up`", daemon.pid)
            stop_daemon(daemon)
        return len(strays)

    def _start(self, service: Service) -> None:
        log_file = self.log_folder / f"{service.name}.log"
        env = {**service.env, MARK: str(self.root)}
        daemon = start_daemon(service.argv, log_file=log_file, env=env)
        self.store.add_daemon(service.name, Started(daemon=daemon, key=service.key))
        self._wait(service, daemon)

    def _wait(self, service: Service, daemon: Daemon) -> None:
        retry = tenacity.Retrying(
            wait=tenacity.wait_exponential(multiplier=0.05, max=1),
            stop=tenacity.stop_after_delay(service.patience),
            retry=tenacity.retry_if_exception_type(_NotYetError),
            reraise=True,
        )
        try:
            retry(self._probe, service, daemon)
        except _NotYetError as error:
            message = f"{service.name} does not answer after {service.patience:.0f} s: {error}"
            raise self._failure(service, message) from error

    def _probe(self, service: Service, daemon: Daemon) -> None:
        if not is_alive(daemon):
            raise self._failure(service, f"{service.name} ended at once")
        try:
            service.probe()
        except (OSError, httpx.HTTPError) as error:
            raise _NotYetError(str(error)) from error

    def _failure(self, service: Service, message: str) -> CommandError:
        log_file = self.log_folder / f"{service.name}.log"
        words = log_file.read_text(errors="replace").splitlines()[-15:]
        return CommandError(
            message,
            details="\n".join([f"$ {shlex.join(service.argv)}", *words]),
            hint=f"its whole log is {log_file}",
        )


def marked_daemons(root: Path) -> list[Daemon]:
    """Find the process group leaders that carry the mark of the lab in `root`."""
    mark = f"{MARK}={root}".encode()
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            pid = int(entry.name)
            ticks = start_ticks(pid)
            environ = (entry / "environ").read_bytes().split(b"\0")
            if ticks is not None and mark in environ and os.getpgid(pid) == pid:
                found.append(Daemon(pid=pid, start_ticks=ticks))
    return found


def http_probe(url: str, *, ca: Path | None = None) -> Callable[[], None]:
    """Return a probe that asks `url` and wants a status below 400."""

    def probe() -> None:
        context = ssl.create_default_context(cafile=ca)
        httpx.get(url, verify=context, timeout=5, trust_env=False).raise_for_status()

    return probe


def _demand_free(service: Service) -> None:
    taken = [port for port in service.ports if not ports.is_free(port)]
    if taken:
        listed = ", ".join(map(str, taken))
        message = f"port {listed}, which {service.name} has kept from its first start, is in use"
        shown = f"`ss -ltnp 'sport = :{taken[0]}'`"
        hint = f"{shown} shows by whom; end that program, or use another `--state`"
        raise HostError(message, hint=hint)


def open_ports(numbers: Iterable[int]) -> list[int]:
    """Return those of the ports on which somebody listens."""
    return [number for number in numbers if not ports.is_free(number)]
