"""Look at one key before it is pinned: at every place, and at what it should have signed."""

from __future__ import annotations

import hashlib
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from immutable_base.config.key import Key
from immutable_base.config.schema import Settings
from immutable_base.config.toml import did_you_mean
from immutable_base.errors import (
    ConfigurationError,
    HostError,
    ImmutableBaseError,
    VerificationError,
    foreign_data,
)
from immutable_base.keys.answers import (
    METADATA,
    PACKAGE,
    KeyFinding,
    PlaceAnswer,
    SignatureAnswer,
    about_signatures,
    about_the_file,
    candidate,
)
from immutable_base.model.plan import Package
from immutable_base.repository.keys import PinnedKey, judge
from immutable_base.repository.metadata import MetadataFetcher, Source, source_of
from immutable_base.solver.pool import PackagePool
from immutable_base.tools import gpg, rpmkeys

VERSION_LINE = re.compile(rb"^Version[^\n]*\n?", re.MULTILINE)
"""What `sed '/^Version/d'` removes: servers rewrite it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyReport:
    """Everything that was found out about a key."""

    name: str
    key: Key
    places: tuple[PlaceAnswer, ...]
    found: gpg.ListedKey | None
    """The key that was looked at; None if there is none, or nobody said which of several."""
    findings: tuple[KeyFinding, ...]


def check_key(
    fetcher: MetadataFetcher,
    settings: Settings,
    name: str,
    *,
    fingerprint: str | None = None,
    package: str | None = None,
) -> KeyReport:
    """Ask every place of the key `keys.<name>`, and verify what it should have signed.

    `fingerprint` says which key is meant where a file has several. `package` is a package's name;
    its newest version is fetched from each repository whose packages the key signs. Nothing is
    trusted. Raises ConfigurationError if there is no such key, HostError if this host lacks
    something.
    """
    if name not in settings.keys:
        raise ConfigurationError(
            f"there is no key '{name}'{did_you_mean(name, settings.keys)}",
            hint=f"configured keys: {', '.join(settings.keys)}",
        )
    key = settings.keys[name]
    answers = tuple(_ask(fetcher, name, place) for place in key.places)
    found = candidate(answers, fingerprint or key.fingerprint)
    if found is None and fingerprint is None:
        found = candidate(answers, None)  # Was it rotated? That is what somebody wants to see then.
    findings = about_the_file(key, answers, found)
    if found and all(item.ok for item in findings[:1]):
        looked_at = key.model_copy(update={"fingerprint": found[1].fingerprint, "sha256": None})
        pinned = judge(fetcher.keys.run, name, looked_at, found[0].content)
        findings += about_signatures(METADATA, _metadata(fetcher, settings, pinned))
        if package is not None:
            findings += about_signatures(PACKAGE, _packages(fetcher, settings, pinned, package))
    return KeyReport(
        name=name, key=key, places=answers, found=found[1] if found else None, findings=findings
    )


def sources_of(settings: Settings, name: str) -> tuple[Source, ...]:
    """Return the repositories that variants use and that this key should have signed.

    Without those of a compose: which one that is, only a base image tells.
    """
    found = [
        source_of(settings, repository, settings.streams[variant.stream].release)
        for variant in settings.variants.values()
        for repository in settings.repositories_of(variant)
        if name
        in {settings.repositories[repository].key, settings.repositories[repository].metadata_key}
    ]
    return tuple(dict.fromkeys(source for source in found if source is not None))


def _ask(fetcher: MetadataFetcher, name: str, place: str) -> PlaceAnswer:
    try:
        content = fetcher.keys.read(name, place)
        with tempfile.TemporaryDirectory(prefix="key-") as folder:
            file = gpg.read_keys(fetcher.keys.run, content, Path(folder))
    except HostError:
        raise
    except ImmutableBaseError as error:
        return PlaceAnswer(place=place, error=_in_a_line(error))
    stripped = VERSION_LINE.sub(b"", content)
    return PlaceAnswer(
        place=place,
        content=content,
        sha256=hashlib.sha256(content).hexdigest(),
        sha256_without_version=hashlib.sha256(stripped).hexdigest(),
        file=file,
    )


def _metadata(
    fetcher: MetadataFetcher, settings: Settings, key: PinnedKey
) -> Sequence[SignatureAnswer]:
    """Verify repomd.xml of each repository whose metadata the key should have signed."""

    def verify(source: Source) -> SignatureAnswer:
        what = f"repomd.xml of '{source.id}'"
        try:
            fetcher.fetch_repomd(source, key)
        except HostError:
            raise
        except ImmutableBaseError as error:
            return SignatureAnswer(what=what, error=_in_a_line(error))
        return SignatureAnswer(what=what)

    sources = sources_of(settings, key.name)
    return [verify(it) for it in sources if settings.repositories[it.id].metadata_key == key.name]


def _packages(
    fetcher: MetadataFetcher, settings: Settings, key: PinnedKey, name: str
) -> Sequence[SignatureAnswer]:
    """Verify a package in each repository that has it and whose packages the key should sign."""
    sources = sources_of(settings, key.name)
    used = [it for it in sources if settings.repositories[it.id].key == key.name]
    found = [signed for source in used for signed in _package(fetcher, settings, source, key, name)]
    nowhere = f"none of {', '.join(source.id for source in used) or 'no repository'} has it"
    return found or [SignatureAnswer(what=name, error=nowhere)]


def _package(
    fetcher: MetadataFetcher, settings: Settings, source: Source, key: PinnedKey, name: str
) -> Iterator[SignatureAnswer]:
    what = f"{name} of '{source.id}'"
    signs = settings.repositories[source.id].metadata_key == key.name
    try:
        with foreign_data("its metadata"):
            metadata = fetcher.fetch(source, key, key if signs else None)
            pool = PackagePool([metadata], (), lambda _name: None)
            newest = pool.named(name, [source.id])[:1]
            for package in map(pool.package, newest):
                what = f"{package.nevra} of '{source.id}'"
                require_signed(fetcher, key, package)
                yield SignatureAnswer(what=what)
    except HostError:
        raise
    except ImmutableBaseError as error:
        yield SignatureAnswer(what=what, error=_in_a_line(error))


def require_signed(fetcher: MetadataFetcher, key: PinnedKey, package: Package) -> None:
    """Fetch a package, and require that this key signed it.

    Raises RemoteError if it cannot be fetched, VerificationError if it is another one, or not
    signed by the key.
    """
    with tempfile.TemporaryDirectory(prefix="package-") as folder:
        # Not by the package's own name: that is foreign, and may be too long for a file.
        target = Path(folder) / "package.rpm"
        fetcher.keys.downloader.fetch_file(
            package.url, "the package", package.required, target, size=package.size
        )
        bad = rpmkeys.unsigned(fetcher.keys.run, key.armored, (target,), Path(folder))
    if bad:
        raise VerificationError("it is not signed by this key", details=bad[target])


def _in_a_line(error: ImmutableBaseError) -> str:
    return ": ".join((error.message, *(error.details or "").split("\n")[-1:])).rstrip(": ")
