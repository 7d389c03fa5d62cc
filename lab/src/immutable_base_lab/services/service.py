"""What a service of the lab declares, and what it gets to know of the lab.

A new service is one module with a `Service`, and its place in `lab.SERVICES`.
"""

from __future__ import annotations

import shutil
import ssl
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

from immutable_base.process import environment
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.ports import LOOPBACK

MODULE = (sys.executable, "-m")
SOURCES = Path(__file__).parents[1]
"""Our own modules, some of which are services."""
ProductSettings = Mapping[str, Mapping[str, str]]
"""Table of immutable-base.toml to the keys that it gets in the lab."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What a service may rely on: the lab's folders, and the port of every name."""

    paths: LabPaths
    ports: Mapping[str, int]

    def address(self, port: str) -> str:
        """Return `127.0.0.1:number`, as in an image reference."""
        return f"{LOOPBACK}:{self.ports[port]}"

    def url(self, port: str) -> str:
        """Return the address as a URL without TLS and without a slash at its end."""
        return f"http://{self.address(port)}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """How a service is started."""

    argv: tuple[str, ...]
    probe: Callable[[], None]
    """Returns when the service answers; raises OSError or httpx.HTTPError while it does not."""
    inputs: tuple[Path, ...] = ()
    """Files whose change asks for a restart."""
    env: Mapping[str, str] = field(default_factory=dict)
    patience: float = 60
    """Seconds that it may take until it answers."""

    @property
    def key(self) -> str:
        """A digest of all that decides how the service runs: command, program, files, variables."""
        contents = [path.read_bytes().hex() for path in self.inputs]
        return cache.key_of(self.argv, dict(self.env), contents, _build_of(self.argv))


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A daemon of the lab."""

    name: str
    ports: tuple[str, ...]
    """Names of all ports that it listens on, as in state.json; they are never changed there."""
    prepare: Callable[[Surroundings], Launch]
    """Writes configuration and data; the services before it in the order of starting run."""
    must_stop: Callable[[Surroundings], bool] = lambda _at: False
    """Whether a running one has to end before `prepare`, because its data are made anew."""
    trust: tuple[str, ...] = ()
    """Files of `keys/` that a client has to trust: they are published in `trust/`."""
    settings: Callable[[Surroundings], ProductSettings] = lambda _at: {}
    """What the product's configuration says of it in the lab."""
    environment: Callable[[Surroundings], Mapping[str, str]] = lambda _at: {}
    """What a shell exports to reach it with cosign and curl by hand."""
    grace: float = 20
    """Seconds that it may take to end in order."""
    stops_last: bool = False
    """Other services use it until their own end."""


def _build_of(argv: tuple[str, ...]) -> list[object]:
    """Return what differs between two builds of a program; of a module of ours, our source text."""
    if argv[:2] == MODULE:
        return [path.read_text() for path in sorted(SOURCES.rglob("*.py"))]
    program = Path(shutil.which(argv[0], path=environment({})["PATH"]) or argv[0]).resolve()
    status = program.stat() if program.exists() else None
    return [program, *((status.st_size, status.st_mtime_ns) if status else ())]


def module_argv(module: str, *arguments: str) -> tuple[str, ...]:
    """Return the command line of a service that is a module of ours."""
    return (*MODULE, module, *arguments)


def http_probe(url: str, *, ca: Path | None = None) -> Callable[[], None]:
    """Return a probe that asks `url` and wants a status below 400."""

    def probe() -> None:
        context = ssl.create_default_context(cafile=ca)
        httpx.get(url, verify=context, timeout=5, trust_env=False).raise_for_status()

    return probe
