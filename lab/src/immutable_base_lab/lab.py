"""The lab as a whole: making its pieces, starting and ending its services."""

from __future__ import annotations

import os
import shutil
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import httpx

from immutable_base.errors import HostError, ImmutableBaseError
from immutable_base.tls import DEBIAN_BUNDLE
from immutable_base_lab.core import ports
from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.core.state import StateStore
from immutable_base_lab.services import certificates, database, registry, sigstore
from immutable_base_lab.services.daemons import is_alive
from immutable_base_lab.services.issuer import DEFAULTS
from immutable_base_lab.services.supervisor import Service, Supervisor, http_probe, open_ports

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from immutable_base_lab.core.paths import LabPaths
    from immutable_base_lab.core.progress import Progress

PORTS = (
    "files", "registry", "issuer", "database", "trillian-log-server", "trillian-log-server-http",
    "trillian-log-signer", "trillian-log-signer-http", "rekor", "ctlog", "fulcio", "fulcio-grpc",
    "fulcio-metrics",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class ServiceStatus:
    """One service as `lab status` shows it."""

    name: str
    pid: int | None
    ports: tuple[int, ...]
    alive: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """Where the lab's services listen."""

    registry: str
    """`address:port`, as in an image reference."""
    files: str
    issuer: str
    fulcio: str
    rekor: str


class Lab:
    """One lab in one state folder."""

    def __init__(self, paths: LabPaths) -> None:
        self.paths = paths

    def addresses(self) -> Addresses:
        """Return the addresses of the services.

        Raises HostError if the lab has never been up.
        """
        known = StateStore(self.paths.state_file).state.ports
        if not set(PORTS) <= set(known):
            message = f"there is no lab in {self.paths.root}"
            raise HostError(message, hint="run `immutable-base lab up` first")
        at = {name: f"{LOOPBACK}:{known[name]}" for name in PORTS}
        return Addresses(
            registry=at["registry"],
            files=f"http://{at['files']}",
            issuer=f"http://{at['issuer']}",
            fulcio=f"http://{at['fulcio']}",
            rekor=f"http://{at['rekor']}",
        )

    def prepare(self) -> StateStore:
        """Make folders and keys, and choose the ports that pieces and services name."""
        paths = self.paths
        for folder in (paths.log, paths.services, paths.rpms, paths.registry_data):
            folder.mkdir(parents=True, exist_ok=True)
        paths.services.chmod(0o700)
        store = StateStore(paths.state_file)
        store.set_ports(ports.choose(PORTS, store.state.ports))
        certificates.ensure_keys(paths.keys)
        self._publish_trust()
        return store

    def start_services(self, progress: Progress) -> None:
        """Start every service that does not run, in order.

        The programs have to be built. Raises HostError if a port is taken, CommandError if a
        service does not come up.
        """
        store = self.prepare()
        supervisor = self._supervisor(store)
        supervisor.end_strays()
        for name, prepare in self._services(store):
            with progress.step(f"service {name}"):
                supervisor.ensure(prepare())

    def down(self, progress: Progress) -> None:
        """End every service that `start_services` started.

        Raises ImmutableBaseError if one of the lab's ports is still open afterwards.
        """
        if not self.paths.state_file.exists():
            return
        store = StateStore(self.paths.state_file)
        supervisor = self._supervisor(store)
        ending = list(store.state.daemons)
        with progress.step(f"ending {len(ending)} services"), ThreadPoolExecutor() as pool:
            # At once, because two of them take seconds to say goodbye; the database after those
            # that use it, with time to write its last pages.
            list(pool.map(supervisor.end, [name for name in ending if name != "database"]))
            supervisor.end("database", grace=60)
        supervisor.end_strays()
        self._demand_closed(store, was_up=bool(ending))

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return every service and whether it is alive."""
        state = StateStore(self.paths.state_file).state
        daemons = state.daemons
        names = [*SERVICE_NAMES, *(name for name in daemons if name not in SERVICE_NAMES)]
        return tuple(
            ServiceStatus(
                name=name,
                pid=daemons[name].daemon.pid if name in daemons else None,
                ports=tuple(it for key, it in state.ports.items() if _owner(key) == name),
                alive=name in daemons and is_alive(daemons[name].daemon),
            )
            for name in names
        )

    def token(self, **claims: str) -> str:
        """Return a fresh token of the lab's issuer for a CI job, see issuer.DEFAULTS.

        Raises HostError if the issuer does not answer.
        """
        query = {**DEFAULTS, **claims}
        try:
            answer = httpx.get(f"{self.addresses().issuer}/token", params=query, trust_env=False)
            answer.raise_for_status()
        except httpx.HTTPError as error:
            message = f"the lab's token issuer does not answer: {error}"
            raise HostError(message, hint="run `immutable-base lab up` first") from error
        return answer.text

    def _publish_trust(self) -> None:
        self.paths.trust.mkdir(exist_ok=True)
        for name in ("ca.pem", "fulcio.pem", "rekor.pub", "ctlog.pub"):
            shutil.copyfile(self.paths.keys / name, self.paths.trust / name)
        system = Path(os.environ.get("SSL_CERT_FILE", DEBIAN_BUNDLE))
        if system == self.paths.ca_bundle:
            # A shell that has `lab env`: the file holds the machine's CAs already.
            system = Path(DEBIAN_BUNDLE)
        parts = [system.read_text()] if system.is_file() else []
        bundle = "\n".join([*parts, (self.paths.trust / "ca.pem").read_text()])
        self.paths.ca_bundle.write_text(bundle)

    def _supervisor(self, store: StateStore) -> Supervisor:
        return Supervisor(root=self.paths.root, log_folder=self.paths.log, store=store)

    def _services(self, store: StateStore) -> Iterable[tuple[str, Callable[[], Service]]]:
        """Yield each service's name and how to prepare it, in the order in which they start."""
        paths, numbers = self.paths, store.state.ports
        yield "files", lambda: _files(paths, numbers["files"])
        yield "registry", lambda: registry.registry_service(paths, numbers["registry"])
        yield "issuer", lambda: _issuer(paths, numbers["issuer"])
        schema = paths.programs.share / "trillian/storage/mysql/schema/storage.sql"
        if not database.is_made(paths):
            self._supervisor(store).end("database")
            database.ensure_database(paths, schema)
        yield "database", lambda: database.database_service(paths, numbers["database"])
        server, signer = sigstore.trillian_services(paths, numbers)
        yield server.name, lambda: server
        yield signer.name, lambda: signer
        trees = {log: sigstore.ensure_tree(paths, numbers, log) for log in ("rekor", "ctlog")}
        yield "rekor", lambda: sigstore.rekor_service(paths, numbers, trees["rekor"])
        yield "ctlog", lambda: sigstore.ctlog_service(paths, numbers, trees["ctlog"])
        yield "fulcio", lambda: sigstore.fulcio_service(paths, numbers)

    def _demand_closed(self, store: StateStore, *, was_up: bool) -> None:
        still = open_ports(store.state.ports.values()) if was_up else []
        if still:
            listed = ", ".join(map(str, still))
            message = f"every service has ended, but port {listed} is open"
            raise ImmutableBaseError(message, hint="`ss -ltnp` shows which program listens there")


SERVICE_NAMES = (
    "files", "registry", "issuer", "database", "trillian-log-server", "trillian-log-signer",
    "rekor", "ctlog", "fulcio",
)  # fmt: skip


def _owner(port_name: str) -> str:
    """Return the service that listens on a port."""
    return port_name.removesuffix("-http").removesuffix("-grpc").removesuffix("-metrics")


def _files(paths: LabPaths, port: int) -> Service:
    return Service(
        name="files",
        argv=_module("fileserver", f"--port={port}", f"--root={paths.rpms}"),
        ports=(port,),
        probe=http_probe(f"http://{LOOPBACK}:{port}/"),
    )


def _issuer(paths: LabPaths, port: int) -> Service:
    key = paths.keys / "issuer.key"
    return Service(
        name="issuer",
        argv=_module("issuer", f"--port={port}", f"--key={key}"),
        ports=(port,),
        probe=http_probe(f"http://{LOOPBACK}:{port}/jwks"),
        inputs=(key,),
    )


def _module(name: str, *arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", f"immutable_base.lab.{name}", *arguments)
