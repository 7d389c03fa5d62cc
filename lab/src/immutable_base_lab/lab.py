"""The lab as a whole: making what is missing, starting and ending its services."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path

import httpx

from immutable_base.errors import HostError, ImmutableBaseError
from immutable_base.log import log_to_file
from immutable_base.process import run_contained
from immutable_base.progress import Progress
from immutable_base.schedule import Observer, observed
from immutable_base.tls import set_up_tls
from immutable_base.workspace import exclusive, write_atomically
from immutable_base_lab import configuration, content
from immutable_base_lab.core import certificates, image_keys, module_keys, ports
from immutable_base_lab.core.nodes import run_steps
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import KEY_NAME
from immutable_base_lab.hosts import power
from immutable_base_lab.programs import steps
from immutable_base_lab.programs.go_build import GoBuilder
from immutable_base_lab.requirements import LATER_GIB, require_ready, require_root
from immutable_base_lab.scenarios.configuration import (
    configuration_file,
    scenario_configuration,
    write_configuration,
)
from immutable_base_lab.scenarios.scenario import FULL, Scenario, Universe
from immutable_base_lab.services import (
    ctlog,
    database,
    file_server,
    fulcio,
    issuer,
    registry,
    rekor,
    trillian,
)
from immutable_base_lab.services.daemons import is_alive
from immutable_base_lab.services.service import Service, Surroundings
from immutable_base_lab.services.state import ServiceStatus, StateStore
from immutable_base_lab.services.supervisor import Supervisor

SERVICES: tuple[Service, ...] = (
    file_server.SERVICE,
    registry.SERVICE,
    issuer.SERVICE,
    database.SERVICE,
    trillian.SERVER,
    trillian.SIGNER,
    rekor.SERVICE,
    ctlog.SERVICE,
    fulcio.SERVICE,
)
"""In the order in which they start: each may use those before it."""
QUIET_SECONDS = 0.5
"""Steps that took less are not worth a line."""


class Lab:
    """One lab in one state folder."""

    def __init__(self, paths: LabPaths) -> None:
        self.paths = paths

    def up(self, product: Path, *, scenario: Scenario = FULL, verbose: bool = False) -> int:
        """Make what is missing, start services, and write the product's configuration.

        `product` is the product's own configuration. Progress is shown on standard error. Returns
        0, or the exit code of the process that made things and has reported its error.

        Raises HostError if this machine lacks something or another command works on the lab,
        CommandError if a service does not come up.
        """
        universe = scenario.universe
        first_time = any(steps.program_nodes(self.paths, universe.programs))
        require_ready(self.paths.root, universe.first_time_gib if first_time else LATER_GIB)
        text = configuration.read_product(product)
        with self._locked():
            log_to_file(self.paths.log / "lab.log")
            at = self.prepare().surroundings
            if status := self._make_contained(f"--scenario={scenario.name}", verbose=verbose):
                return status
            image_keys.ensure_image_keys(self.paths)
            with Progress(quiet_below=QUIET_SECONDS) as progress:
                self.start_services(progress, scenario.stopped)
                with observed(progress, "base images into the registry") as report:
                    content.publish_bases(self.paths, at.address("registry"), universe, report)
            changed = scenario_configuration(text, self._replacements(at, text, universe), scenario)
            write_configuration(self.paths, scenario, changed, product.parent / "layers")
        return 0

    def build_programs(self, names: Iterable[str], *, verbose: bool = False) -> int:
        """Build the named programs; the result is that of `up`."""
        require_root()
        with self._locked():
            return self._make_contained(*names, verbose=verbose)

    def make(
        self, programs: Iterable[str], observer: Observer, *, scenario: Scenario = FULL
    ) -> None:
        """Make everything that a scenario needs and that is missing, or only some programs.

        To be called where mounts and processes end with the caller (process.run_contained).
        Raises CommandError, HostError, RemoteError and VerificationError.
        """
        named, universe = tuple(programs), scenario.universe
        needed = Universe.FULL.programs if named else universe.programs
        if named:
            nodes = steps.program_nodes(self.paths, named)
        else:
            files_url = self.surroundings().url(file_server.NAME)
            nodes = content.all_nodes(self.paths, files_url, universe)
        run_steps(nodes, observer)
        builder = GoBuilder(tools=self.paths.tools)
        builder.link()
        if not any(steps.program_nodes(self.paths, needed)):
            # Half a million files: it may take longer than a program.
            with observed(observer, "removing downloaded Go modules"):
                builder.clear_caches()

    def missing(self) -> tuple[str, ...]:
        """Return the long steps that `up` has to do first."""
        nodes = content.all_nodes(self.paths, "", Universe.FULL)
        return tuple(node.id for node in nodes if node.lane != "download" and node.usual_seconds)

    def surroundings(self) -> Surroundings:
        """Return where the services are.

        Raises HostError if the lab has never been up.
        """
        known = StateStore(self.paths.state_file).state.ports
        if not set(port_names()) <= set(known):
            raise HostError(
                f"there is no lab in {self.paths.root}", hint="run `immutable-base lab up` first"
            )
        return Surroundings(paths=self.paths, ports=known)

    def prepare(self) -> Supervisor:
        """Make folders and keys, and choose the ports that images and services name."""
        paths = self.paths
        for folder in (paths.log, paths.services, paths.rpms, paths.registry_data):
            folder.mkdir(parents=True, exist_ok=True)
        paths.services.chmod(0o700)
        store = StateStore(paths.state_file)
        store.set_ports(ports.choose(port_names(), store.state.ports))
        certificates.ensure_keys(paths.keys)
        module_keys.ensure(paths.module_keys)
        self._publish_trust()
        return Supervisor(paths=paths, store=store)

    def start_services(self, observer: Observer, stopped: Collection[str] = ()) -> None:
        """Start every service that does not run, in order; end those that are to be stopped.

        The programs have to be built. Raises HostError if a port is taken, CommandError if a
        service does not come up.
        """
        supervisor = self.prepare()
        supervisor.end_strays()
        for service in SERVICES:
            if service.name in stopped:
                supervisor.end(service)
                continue
            with observed(observer, f"service {service.name}"):
                supervisor.ensure(service)

    def down(self, observer: Observer) -> None:
        """Switch off every host of this lab, and end every daemon.

        Raises ImmutableBaseError if one of the lab's ports is still open afterwards.
        """
        if not self.paths.root.exists():
            return
        with self._locked():
            supervisor = Supervisor(paths=self.paths, store=StateStore(self.paths.state_file))
            was_up = bool(supervisor.store.state.daemons)
            with observed(observer, "switching off hosts") as report:
                power.stop_all(self.paths, report)
            with observed(observer, "ending services"):
                supervisor.end_all(SERVICES)
            if was_up and (still_open := supervisor.open_ports()):
                raise ImmutableBaseError(
                    f"every service has ended, but port {', '.join(map(str, still_open))} is open",
                    hint="`ss -ltnp` shows which program listens there",
                )

    def status(self) -> tuple[ServiceStatus, ...]:
        """Return every service and whether it is alive."""
        state = StateStore(self.paths.state_file).state
        names = {service.name: service.ports for service in SERVICES}
        names |= {name: () for name in state.daemons if name not in names}
        return tuple(
            ServiceStatus(
                name=name,
                pid=state.daemons[name].daemon.pid if name in state.daemons else None,
                ports=tuple(state.ports[key] for key in keys if key in state.ports),
                alive=name in state.daemons and is_alive(state.daemons[name].daemon),
            )
            for name, keys in names.items()
        )

    def token(self, **claims: str) -> str:
        """Return a fresh token of the lab's issuer for a CI job, see issuer.DEFAULTS.

        Raises HostError if the issuer does not answer.
        """
        url = f"{self.surroundings().url('issuer')}/token"
        try:
            response = httpx.get(url, params={**issuer.DEFAULTS, **claims}, trust_env=False)
            response.raise_for_status()
        except httpx.HTTPError as error:
            raise HostError(
                f"the lab's token issuer does not answer: {error}",
                hint="run `immutable-base lab up` first",
            ) from error
        return response.text

    def environment(
        self, claims: Mapping[str, str], *, scenario: Scenario = FULL
    ) -> dict[str, str]:
        """Return what a shell exports to work in a scenario as a CI job with these claims.

        The product reads its configuration; the rest is for cosign by hand. Raises HostError.
        """
        at, file = self.surroundings(), configuration_file(self.paths, scenario)
        if not file.is_file():
            raise HostError(
                f"the scenario `{scenario.name}` is not set up in {self.paths.root}",
                hint=f"run `immutable-base lab scenario {scenario.name}` first",
            )
        variables = {
            "IMMUTABLE_BASE_CONFIG": str(file),
            "SIGSTORE_ID_TOKEN": self.token(**claims),
            "IMMUTABLE_BASE_IDENTITY": issuer.identity(claims),
            **module_keys.environment(self.paths.module_keys),
        }
        for service in SERVICES:
            variables |= service.environment(at)
        variables["IMMUTABLE_BASE_REGISTRY"] += scenario.namespace
        variables |= image_keys.environment(self.paths)
        if scenario is not FULL:
            # A run removes what the last one in its workspace left.
            variables["IMMUTABLE_BASE_WORKSPACE"] = str(file.parent / "nights")
        return variables

    def _locked(self) -> contextlib.AbstractContextManager[None]:
        return exclusive(self.paths.root, command="command", option="--state")

    def _make_contained(self, *arguments: str, verbose: bool) -> int:
        """Make things where no process and no mount can outlive us."""
        argv = (
            sys.executable, "-m", "immutable_base", "lab", "make", f"--state={self.paths.root}",
            *(("--verbose",) if verbose else ()), *arguments,
        )  # fmt: skip
        return run_contained(argv)

    def _publish_trust(self) -> None:
        keys, trust = self.paths.keys, self.paths.trust
        for name in (name for service in SERVICES for name in service.trust):
            # A night may be reading it.
            write_atomically(trust / name, (keys / name).read_bytes())
        set_up_tls(trust / registry.CA, trust)

    def _replacements(
        self, at: Surroundings, product: str, universe: Universe
    ) -> configuration.Replacements:
        files, full = at.url(file_server.NAME), universe is Universe.FULL
        return configuration.Replacements(
            registry=at.address("registry"),
            repositories=files,
            key_url=f"{files}/{KEY_NAME}",
            key_fingerprint=self.paths.key_fingerprint.read_text().strip(),
            settings=merged_settings(at),
            branches=configuration.available_branches(product, self.paths.rpms) if full else {},
            image_keys=image_keys.product_settings(self.paths),
        )


def merged_settings(at: Surroundings) -> dict[str, dict[str, str]]:
    """Return what the lab sets in the product's configuration, by table."""
    tables = {module_keys.TABLE: module_keys.settings(at.paths.module_keys)}
    for service in SERVICES:
        for table, keys in service.settings(at).items():
            tables.setdefault(table, {}).update(keys)
    return tables


def port_names() -> tuple[str, ...]:
    """Return the names of the ports of all services."""
    return tuple(name for service in SERVICES for name in service.ports)
