"""Starting and ending the lab's daemons, each exactly once."""

from __future__ import annotations

import logging
import shlex
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import httpx
import tenacity

from immutable_base.errors import CommandError, HostError
from immutable_base_lab.core import ports
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.services.daemons import (
    Daemon,
    find_marked,
    is_alive,
    start_daemon,
    stop_daemon,
)
from immutable_base_lab.services.service import Launch, Service, Surroundings
from immutable_base_lab.services.state import Started, StateStore

log = logging.getLogger("immutable_base.lab")
"""Below the product's logger, whose handlers `log_to_file` and `log_to_terminal` set."""

MARK = "IMMUTABLE_BASE_LAB_DAEMON"
"""Every daemon carries this variable with its lab's state folder as value.

An `up` that is killed between starting a daemon and recording it leaves a process that is still
known as ours.
"""


class _NotYetError(Exception):
    """The service does not answer yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Supervisor:
    """Starts services and ends them, and keeps the state file true all along."""

    paths: LabPaths
    store: StateStore

    @property
    def surroundings(self) -> Surroundings:
        """What services may rely on; every port has been chosen."""
        return Surroundings(paths=self.paths, ports=self.store.state.ports)

    def ensure(self, service: Service) -> bool:
        """Start the service unless it runs as it should; tell whether it had to be started.

        Raises HostError if another program has its port, CommandError if it ends or never answers.
        """
        if service.must_stop(self.surroundings):
            self.end(service)
        launch = service.prepare(self.surroundings)
        started = self.store.state.daemons.get(service.name)
        if started is not None:
            if is_alive(started.daemon) and started.key == launch.key:
                self._wait(service, launch, started.daemon)
                return False
            self.end(service)
        self._require_free_ports(service)
        self._start(service, launch)
        return True

    def end(self, service: Service) -> None:
        """End the service if it runs, and remove its record."""
        self._end(service.name, service.grace)

    def _end(self, name: str, grace: float) -> None:
        started = self.store.state.daemons.get(name)
        if started is not None:
            stop_daemon(started.daemon, grace=grace)
            self.store.remove_daemon(name)

    def end_all(self, services: Iterable[Service]) -> None:
        """End every daemon of this lab, also those of services that exist no longer.

        At once, because some take seconds; those that others use come last.
        """
        known = {service.name: service for service in services}
        last = [service for service in known.values() if service.stops_last]
        with ThreadPoolExecutor() as pool:
            first = set(self.store.state.daemons) - {service.name for service in last}
            graces = {name: known[name].grace if name in known else 20.0 for name in first}
            list(pool.map(self._end, graces.keys(), graces.values()))
        for service in last:
            self.end(service)
        self.end_strays()

    def end_strays(self) -> int:
        """End daemons of this lab that the state file does not know; return how many there were."""
        known = {started.daemon for started in self.store.state.daemons.values()}
        strays = [daemon for daemon in marked_daemons(self.paths.root) if daemon not in known]
        for daemon in strays:
            log.info("ending process %d, left behind by an earlier `lab up`", daemon.pid)
            stop_daemon(daemon)
        return len(strays)

    def open_ports(self) -> list[int]:
        """Return those of the lab's ports on which a program listens."""
        return [number for number in self.store.state.ports.values() if not ports.is_free(number)]

    def _require_free_ports(self, service: Service) -> None:
        numbers = [self.store.state.ports[name] for name in service.ports]
        taken = [number for number in numbers if not ports.is_free(number)]
        if taken:
            listed = ", ".join(map(str, taken))
            raise HostError(
                f"port {listed}, which {service.name} has had since its first start, is in use",
                hint=f"`ss -ltnp 'sport = :{taken[0]}'` shows by which program; end it, or use "
                "another `--state`",
            )

    def _start(self, service: Service, launch: Launch) -> None:
        log_file = self._log_file(service)
        log_file.parent.mkdir(parents=True, exist_ok=True)
        env = {**launch.env, MARK: str(self.paths.root)}
        daemon = start_daemon(launch.argv, log_file=log_file, env=env)
        self.store.add_daemon(service.name, Started(daemon=daemon, key=launch.key))
        self._wait(service, launch, daemon)

    def _log_file(self, service: Service) -> Path:
        return self.paths.log / f"{service.name}.log"

    def _wait(self, service: Service, launch: Launch, daemon: Daemon) -> None:
        retry = tenacity.Retrying(
            wait=tenacity.wait_exponential(multiplier=0.05, max=1),
            stop=tenacity.stop_after_delay(launch.patience),
            retry=tenacity.retry_if_exception_type(_NotYetError),
            reraise=True,
        )
        try:
            retry(self._probe, service, launch, daemon)
        except _NotYetError as error:
            failure = f"{service.name} does not answer after {launch.patience:.0f} s: {error}"
            raise self._failure(service, launch, failure) from error

    def _probe(self, service: Service, launch: Launch, daemon: Daemon) -> None:
        if not is_alive(daemon):
            raise self._failure(service, launch, f"{service.name} ended at once")
        try:
            launch.probe()
        except (OSError, httpx.HTTPError) as error:
            raise _NotYetError(str(error)) from error

    def _failure(self, service: Service, launch: Launch, message: str) -> CommandError:
        log_file = self._log_file(service)
        output = log_file.read_text(errors="replace").splitlines()[-15:]
        return CommandError(
            message,
            details="\n".join([f"$ {shlex.join(launch.argv)}", *output]),
            hint=f"its whole log is {log_file}",
        )


def marked_daemons(root: Path) -> list[Daemon]:
    """Find the process group leaders that carry the mark of the lab in `root`."""
    return find_marked(MARK, str(root))
