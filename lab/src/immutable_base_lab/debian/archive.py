"""Debian's live archive: verified indexes, versions to choose from, verified downloads."""

from __future__ import annotations

import lzma
import platform
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from debian.deb822 import Packages, Release
from debian.debian_support import Version

from immutable_base.download import Downloader, open_downloader
from immutable_base.errors import HostError, VerificationError
from immutable_base.model.checksum import Checksum
from immutable_base.process import Command, run
from immutable_base.tools import gpgv

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
    with open_downloader(None) as downloader:
        for suite in suites:
            debs += _read_suite(downloader, mirrors.of(suite.name), suite, folder)
    return Archive(debs)


def _read_suite(downloader: Downloader, uri: str, suite: Suite, folder: Path) -> Iterable[Deb]:
    digests = _release_digests(downloader, uri, suite.name, folder)
    for component in suite.components:
        path = f"{component}/binary-amd64/Packages.xz"
        if path not in digests:
            continue
        copy = downloader.fetch_file(
            f"{uri}/dists/{suite.name}/{path}",
            f"Debian's index of {suite.name}/{component}",
            Checksum(algorithm="sha256", hex=digests[path]),
            folder / f"{suite.name}-{component}-Packages.xz",
        )
        for stanza in lzma.decompress(copy.read_bytes()).decode().split("\n\n"):
            if stanza.startswith("Package: "):
                name = stanza[9 : stanza.index("\n")]
                yield Deb(name=name, suite=suite.name, base_uri=uri, stanza=stanza)


def _release_digests(
    downloader: Downloader, uri: str, suite: str, folder: Path
) -> Mapping[str, str]:
    """Return the sha256 of every index of a suite, by its path."""
    signed, content = folder / f"{suite}-InRelease", folder / f"{suite}-Release"
    what = f"Debian's release file of {suite}"
    signed.write_bytes(downloader.fetch_small(f"{uri}/dists/{suite}/InRelease", what))
    try:
        gpgv.verify_inline(run, keyring=KEYRING, document=signed, content=content)
    except VerificationError as error:
        raise VerificationError(
            f"{what} is not signed by Debian: {error.message}",
            details=error.details,
            hint="install a current debian-archive-keyring: apt-get install debian-archive-keyring",
        ) from error
    return {entry["name"]: entry["sha256"] for entry in Release(content.read_text())["SHA256"]}


def download(debs: Iterable[Deb], folder: Path) -> dict[str, Path]:
    """Bring packages into `folder`, several at once; return the file of each file name.

    Raises RemoteError or VerificationError as `open_archive` does.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {deb.file_name: deb for deb in debs}
    with open_downloader(None) as downloader, ThreadPoolExecutor(PARALLEL_DOWNLOADS) as pool:
        jobs = [
            pool.submit(
                downloader.fetch_file,
                f"{deb.base_uri}/{deb.fields['filename']}",
                f"Debian's package {file_name}",
                Checksum(algorithm="sha256", hex=deb.fields["sha256"]),
                folder / file_name,
            )
            for file_name, deb in wanted.items()
        ]
        for job in jobs:
            job.result()
    return {file_name: folder / file_name for file_name in wanted}
