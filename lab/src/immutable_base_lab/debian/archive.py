"""Debian's live archive: verified indexes, versions to choose from, verified downloads."""

from __future__ import annotations

import hashlib
import lzma
import platform
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import httpx
from debian.deb822 import Packages, Release
from debian.debian_support import Version
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_exponential

from immutable_base.errors import HostError, RemoteError, VerificationError
from immutable_base.process import Command, run

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
STABLE = ("trixie", "trixie-updates", "trixie-security")
"""Suites of the release that the lab is made of: others only where a caller asks for them."""
PARALLEL_DOWNLOADS = 8


@dataclass(frozen=True, slots=True, kw_only=True)
class DebianRelation:
    """One `name (op version)`; several of them in a tuple are alternatives."""

    name: str
    op: str | None = None
    version: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deb:
    """One package as an index describes it."""

    name: str
    suite: str
    base_uri: str
    stanza: str = field(repr=False)

    @cached_property
    def fields(self) -> Mapping[str, str]:
        """The paragraph of the index."""
        return {key.lower(): str(value) for key, value in Packages(self.stanza).items()}

    @property
    def version(self) -> str:
        """The whole Debian version."""
        return self.fields["version"]

    @property
    def file_name(self) -> str:
        """The last part of the path in the pool."""
        return Path(self.fields["filename"]).name

    def relations(self, *names: str) -> tuple[tuple[DebianRelation, ...], ...]:
        """Return the groups of alternatives of relationship fields such as `depends`."""
        parsed: Mapping[str, Any] = Packages(self.stanza).relations
        return tuple(
            tuple(_relation(entry) for entry in group)
            for name in names
            for group in parsed[name] or []
        )


def _relation(entry: dict[str, Any]) -> DebianRelation:
    op, version = entry.get("version") or (None, None)
    return DebianRelation(name=entry["name"], op=op, version=version)


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """A suite of the archive and the components that the lab reads."""

    name: str
    components: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mirrors:
    """Where this machine takes Debian from."""

    archive: str
    security: str

    def of(self, suite: str) -> str:
        """Return the address that serves a suite."""
        return self.security if suite.endswith("-security") else self.archive


def machine_mirrors() -> Mirrors:
    """Ask apt where this machine takes Debian from.

    Raises HostError if the machine is not a Debian with its own release and security suites.
    """
    codename = platform.freedesktop_os_release().get("VERSION_CODENAME", "")
    listed = run(
        Command(
            # Debian's own: another project's source may use the same names of suites.
            argv=(
                "apt-get",
                "indextargets",
                "--format",
                "$(RELEASE) $(REPO_URI)",
                "Origin: Debian",
            ),
            timeout=60,
        )
    ).text
    addresses = dict(line.split(" ", 1) for line in listed.splitlines() if " " in line)
    try:
        archive, security = addresses[codename], addresses[f"{codename}-security"]
    except KeyError as error:
        raise HostError(
            f"apt's configuration names no mirror for the suite {error}",
            details="\n".join(sorted(addresses)),
            hint="the lab needs Debian 12 or 13 with its release and security suites in apt",
        ) from error
    return Mirrors(archive=_address(archive), security=_address(security))


def _address(uri: str) -> str:
    """Return the address itself where apt has a file with a list of mirrors: the first of them.

    Debian's cloud images have `mirror+file:`. Source: apt-transport-mirror(1).
    """
    _, listed, name = uri.rstrip("/").partition("mirror+file:")
    if not listed:
        return uri.rstrip("/")
    lines = (line.split() for line in Path("/", name.lstrip("/")).read_text().splitlines())
    return next(line[0] for line in lines if line and not line[0].startswith("#")).rstrip("/")


class Archive:
    """The packages of several suites, each index verified against Debian's archive keys."""

    def __init__(self, debs: Iterable[Deb]) -> None:
        self._debs: dict[str, list[Deb]] = {}
        for deb in debs:
            self._debs.setdefault(deb.name, []).append(deb)

    def names(self) -> Iterable[str]:
        """Return the name of every package."""
        return self._debs.keys()

    def all(self, name: str) -> list[Deb]:
        """Return every version of a package, oldest first."""
        return sorted(self._debs.get(name, []), key=lambda deb: Version(deb.version))

    def exact(self, name: str, version: str) -> Deb | None:
        """Return one version of a package."""
        return next((deb for deb in self.all(name) if deb.version == version), None)

    def newest(self, name: str, suites: Iterable[str] | None = None) -> Deb | None:
        """Return the newest version of a package, of some suites only if they are given."""
        wanted = None if suites is None else set(suites)
        found = [deb for deb in self.all(name) if wanted is None or deb.suite in wanted]
        return found[-1] if found else None

    def providers(self, virtual: str) -> list[Deb]:
        """Return the packages that provide a virtual name."""
        mentioned = (
            deb for debs in self._debs.values() for deb in debs
            if "\nProvides:" in deb.stanza and virtual in deb.stanza
        )  # fmt: skip
        return [
            deb for deb in mentioned
            if any(group[0].name == virtual for group in deb.relations("provides"))
        ]  # fmt: skip


def open_archive(mirrors: Mirrors, suites: Iterable[Suite], folder: Path) -> Archive:
    """Read and verify the indexes of suites; copies stay in `folder` while they are current.

    Raises RemoteError if the mirror cannot be reached, VerificationError if anything is not what
    Debian signed.
    """
    folder.mkdir(parents=True, exist_ok=True)
    debs: list[Deb] = []
    with _client() as client:
        for suite in suites:
            debs += _read_suite(client, mirrors.of(suite.name), suite, folder)
    return Archive(debs)


def _read_suite(client: httpx.Client, uri: str, suite: Suite, folder: Path) -> Iterable[Deb]:
    digests = _release_digests(client, uri, suite.name, folder)
    for component in suite.components:
        path = f"{component}/binary-amd64/Packages.xz"
        address = f"{uri}/dists/{suite.name}/{path}"
        copy = folder / f"{suite.name}-{component}-Packages.xz"
        if path not in digests:
            continue
        _download(client, address, copy, digests[path])
        for stanza in lzma.decompress(copy.read_bytes()).decode().split("\n\n"):
            if stanza.startswith("Package: "):
                name = stanza[9 : stanza.index("\n")]
                yield Deb(name=name, suite=suite.name, base_uri=uri, stanza=stanza)


def _release_digests(client: httpx.Client, uri: str, suite: str, folder: Path) -> Mapping[str, str]:
    signed = folder / f"{suite}-InRelease"
    signed.write_bytes(_get(client, f"{uri}/dists/{suite}/InRelease"))
    clear = run(
        Command(
            argv=("gpgv", "--keyring", str(KEYRING), "--output", "-", str(signed)),
            timeout=60,
            hint="install a current debian-archive-keyring: apt-get install debian-archive-keyring",
        )
    ).text
    return {entry["name"]: entry["sha256"] for entry in Release(clear)["SHA256"]}


def download(debs: Iterable[Deb], folder: Path) -> dict[str, Path]:
    """Bring packages into `folder`, several at once; return the file of each file name.

    Raises RemoteError or VerificationError as `open_archive` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {deb.file_name: deb for deb in debs}
    with _client() as client, ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        jobs = [
            pool.submit(
                _download,
                client,
                f"{deb.base_uri}/{deb.fields['filename']}",
                folder / file_name,
                deb.fields["sha256"],
            )
            for file_name, deb in wanted.items()
        ]
        for job in jobs:
            job.result()
    return {file_name: folder / file_name for file_name in wanted}


def _client() -> httpx.Client:
    return httpx.Client(timeout=httpx.Timeout(60), follow_redirects=True)


def _download(client: httpx.Client, address: str, target: Path, sha256: str) -> None:
    """Download a file unless it is there; it has its name only once it is whole."""
    if target.is_file() and hashlib.sha256(target.read_bytes()).hexdigest() == sha256:
        return
    content = _get(client, address)
    found = hashlib.sha256(content).hexdigest()
    if found != sha256:
        raise VerificationError(
            f"{address} is not the file that Debian's index describes",
            details=f"sha256 expected {sha256}\nsha256 found    {found}",
            hint="the mirror may be in the middle of an update: try again in some minutes",
        )
    half = target.with_name(f"{target.name}.half")
    half.write_bytes(content)
    half.rename(target)


@retry(
    retry=retry_if_exception_type(RemoteError),
    stop=stop_after_attempt(4),
    wait=wait_exponential(max=10),
    reraise=True,
)
def _get(client: httpx.Client, address: str) -> bytes:
    try:
        return client.get(address).raise_for_status().content
    except httpx.HTTPError as error:
        raise RemoteError(
            f"{address} could not be downloaded",
            details=str(error) or type(error).__name__,
            hint="check that `apt-get update` works on this machine",
        ) from error
