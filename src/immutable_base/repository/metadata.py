"""Repository metadata: fetched, its signature and every checksum checked, then and only then read.

Modular metadata (modules.yaml) is ignored on purpose: every package counts, as with dnf's
`module_hotfixes=1`. EL 10 and Fedora have no default modules any more, and NVIDIA's EL 10
repository was filtered wrongly by the mere presence of such metadata.
"""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from urllib.parse import urljoin

from immutable_base.config.key import Key
from immutable_base.config.schema import Repository, Settings
from immutable_base.config.types import COMPOSE, RELEASE
from immutable_base.download import NotFoundError
from immutable_base.errors import (
    ConfigurationError,
    HostError,
    ImmutableBaseError,
    VerificationError,
    foreign_data,
)
from immutable_base.model.checksum import Checksum
from immutable_base.repository import compression
from immutable_base.repository.keys import KeyFetcher, PinnedKey, verify_detached
from immutable_base.tools import libsolv

log = logging.getLogger(__name__)

WORKERS = 8
ADVISORIES = "updateinfo"
"""Metadata with advisories, which not every repository has."""
KINDS = ("primary", "filelists", ADVISORIES)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """A repository as one stream uses it: its id, and its URLs with their fields filled in."""

    id: str
    url: str
    archive: str | None = None
    """Where it is once it has left `url`; None where nothing is known of such a place."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DataFile:
    """A metadata file as repomd.xml describes it."""

    url: str
    checksum: Checksum
    size: int
    """Bytes; 0 where repomd.xml does not say."""
    suffix: str
    """`.xml.gz` and the like: libsolv decompresses by it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Metadata:
    """A repository's verified metadata."""

    source: Source
    archived: bool = False
    """Whether it was read from the source's archive, because `url` has it no more."""
    revision: str
    timestamp: int | None = None
    """When the newest of its files was made, in seconds since 1970; None where none states it."""
    repomd_sha256: str
    signed_by: str | None
    """Fingerprint of the key that signed repomd.xml; None where none is configured."""
    key: PinnedKey
    """Key that packages must be signed with."""
    primary: Path
    files: Mapping[str, DataFile]

    @property
    def url(self) -> str:
        """URL of the folder that it was read from."""
        return (self.source.archive or "") if self.archived else self.source.url


MetadataResult = Metadata | ImmutableBaseError
"""A repository that cannot be used is no reason to stop variants that do not need it."""


def source_of(settings: Settings, name: str, release: str, compose: str = "") -> Source | None:
    """Return a repository as a stream of this release uses it.

    `compose` is the base image's, empty where it names none: None for a repository that needs it.
    """
    repository = settings.repositories[name]
    if COMPOSE in f"{repository.url}{repository.archive}" and not compose:
        return None

    def filled(url: str) -> str:
        known = url.replace(RELEASE, repository.release or release).replace(COMPOSE, compose)
        return known if known.endswith("/") else f"{known}/"

    archive = repository.archive
    return Source(id=name, url=filled(repository.url), archive=filled(archive) if archive else None)


@dataclass(frozen=True, slots=True, kw_only=True)
class MetadataFetcher:
    """Fetches and verifies the metadata of a configuration's repositories."""

    keys: KeyFetcher
    repositories: Mapping[str, Repository]
    cache: Path
    """Folder of files named by their checksum."""

    def fetch_all(
        self, sources: Iterable[Source], more: Callable[[], Iterable[Source]] = tuple
    ) -> dict[Source, MetadataResult]:
        """Fetch every repository's metadata and keys, several at a time; failures are values.

        `more` is called meanwhile, may wait, and returns all that is wanted then; no repository and
        no key is fetched twice.
        """
        keys: dict[Key, Future[PinnedKey]] = {}
        found: dict[Source, Future[MetadataResult]] = {}
        with ThreadPoolExecutor(WORKERS) as pool:

            def start(wanted: Iterable[Source]) -> None:
                new = [source for source in dict.fromkeys(wanted) if source not in found]
                # Keys first: whoever waits for one is behind the worker that fetches it.
                for name in sorted({name for source in new for name in self._keys_of(source)}):
                    # By the key itself: two names of one (same places, same pin) are one.
                    if self.keys.keys[name] not in keys:
                        keys[self.keys.keys[name]] = pool.submit(self.keys.fetch, name)
                found.update({source: pool.submit(self._result, source, keys) for source in new})

            start(sources)
            start(more())
            return {source: future.result() for source, future in found.items()}

    def _keys_of(self, source: Source) -> tuple[str, ...]:
        repository = self.repositories[source.id]
        return tuple(filter(None, (repository.key, repository.metadata_key)))

    def fetch(self, source: Source, key: PinnedKey, metadata_key: PinnedKey | None) -> Metadata:
        """Fetch and verify repomd.xml and primary; `key` is that of the packages.

        Raises RemoteError if a file cannot be fetched, VerificationError if a signature or
        checksum is wrong.
        """
        place, repomd = self.fetch_repomd(source, metadata_key)
        index = read_repomd(place, repomd)
        files = index.files
        if "primary" not in files:
            raise VerificationError("repomd.xml names no primary metadata", details=place.url)
        return Metadata(
            source=source,
            archived=place is not source,
            revision=index.revision,
            timestamp=index.timestamp,
            repomd_sha256=hashlib.sha256(repomd).hexdigest(),
            signed_by=metadata_key.fingerprint if metadata_key else None,
            key=key,
            primary=self.fetch_file(source, files, "primary"),
            files=files,
        )

    def fetch_repomd(self, source: Source, metadata_key: PinnedKey | None) -> tuple[Source, bytes]:
        """Fetch repomd.xml, from the archive if `url` has none, verified where it must be signed.

        Returns the source as it is where that was found, too. Raises as `fetch` does.
        """
        place, repomd = self._find_repomd(source)
        if metadata_key is not None:
            self._verify(place, repomd, metadata_key)
        return place, repomd

    def fetch_file(self, source: Source, files: Mapping[str, DataFile], kind: str) -> Path:
        """Return a metadata file from the cache or the repository, its checksum checked."""
        data = files[kind]
        target = self.cache / f"{data.checksum.file_stem}{data.suffix}"
        what = f"{kind} metadata of repository '{source.id}'"
        return self.keys.downloader.fetch_file(
            data.url, what, data.checksum, target, size=data.size
        )

    def _result(self, source: Source, keys: Mapping[Key, Future[PinnedKey]]) -> MetadataResult:
        named, repository = self.keys.keys, self.repositories[source.id]
        try:
            key = keys[named[repository.key]].result()
            signing = repository.metadata_key
            signer = keys[named[signing]].result() if signing else None
            with foreign_data("its metadata"):
                return self.fetch(source, key, signer)
        except (ConfigurationError, HostError):
            raise
        except ImmutableBaseError as error:
            log.info("repository %s cannot be used: %s", source.id, error.message)
            return type(error)(
                f"repository '{source.id}': {error.message}", details=error.details, hint=error.hint
            )

    def _find_repomd(self, source: Source) -> tuple[Source, bytes]:
        """Return repomd.xml, and the source as it is where that was found."""
        try:
            return source, self._fetch_index(source, "repomd.xml")
        except NotFoundError:
            if source.archive is None:
                raise
            archive = Source(id=source.id, url=source.archive)
            log.info("repository %s is not at %s any more", source.id, source.url)
            return archive, self._fetch_index(archive, "repomd.xml")

    def _fetch_index(self, source: Source, name: str) -> bytes:
        return self.keys.downloader.fetch_small(urljoin(source.url, f"repodata/{name}"), name)

    def _verify(self, source: Source, repomd: bytes, key: PinnedKey) -> None:
        try:
            signature = self._fetch_index(source, "repomd.xml.asc")
            verify_detached(self.keys.run, key, data=repomd, signature=signature)
        except VerificationError as error:
            raise VerificationError(
                f"repomd.xml is not signed by the pinned key {key.fingerprint}: {error.message}",
                details="\n".join(filter(None, (source.url, error.details))),
                hint="nothing of this repository was used",
            ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What repomd.xml says."""

    revision: str
    timestamp: int | None
    """As in `Metadata`."""
    files: Mapping[str, DataFile]


def read_repomd(source: Source, repomd: bytes) -> Index:
    """Return what repomd.xml describes, read by libsolv.

    Raises VerificationError if it is not such a file.
    """
    solv = libsolv.library()
    pool = libsolv.new_pool()  # Owns the repo: it must live as long.
    repo = pool.add_repo(source.id)
    with tempfile.NamedTemporaryFile(suffix=".xml") as copy:
        copy.write(repomd)
        copy.flush()
        file = libsolv.open_file(copy.name)
        if file is None or not repo.add_repomdxml(file):
            raise VerificationError("repomd.xml cannot be read", details=source.url)
        file.close()
    files = {}
    for kind in KINDS:
        hits = repo.Dataiterator_meta(
            solv.REPOSITORY_REPOMD_TYPE, kind, solv.Dataiterator.SEARCH_STRING
        )
        hits.prepend_keyname(solv.REPOSITORY_REPOMD)
        for hit in hits:
            files[kind] = _data_file(source, kind, hit.parentpos())
    return Index(
        revision=repo.meta.lookup_str(solv.REPOSITORY_REVISION) or "",
        timestamp=repo.meta.lookup_num(solv.REPOSITORY_TIMESTAMP) or None,
        files=files,
    )


def _data_file(source: Source, kind: str, position: libsolv.Position) -> DataFile:
    solv = libsolv.library()
    location = position.lookup_str(solv.REPOSITORY_REPOMD_LOCATION)
    checksum = position.lookup_checksum(solv.REPOSITORY_REPOMD_CHECKSUM)
    if not location or checksum is None:
        raise VerificationError(f"repomd.xml has no place or checksum of its {kind} metadata")
    suffix = PurePosixPath(location).suffix
    if suffix not in compression.SUFFIXES:
        raise VerificationError(
            f"{kind} metadata packed as `{suffix[:16]}` cannot be read", details=location[:1000]
        )
    return DataFile(
        url=urljoin(source.url, location),
        checksum=Checksum.of(checksum.typestr(), checksum.hex()),
        size=position.lookup_num(solv.REPOSITORY_REPOMD_SIZE),
        suffix="".join(dict.fromkeys((".xml", suffix))),
    )
