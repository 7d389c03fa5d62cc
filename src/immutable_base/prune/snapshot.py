"""Everything that a repository has, as far as a tag, an index, a signature or a referrer tells."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

from immutable_base.errors import RemoteError
from immutable_base.prune.repository import PrunableRepository, digest_in
from immutable_base.tools.skopeo import INDEX_TYPES
from immutable_base.verification.image import MANIFESTS, digest_of
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import list_of, parse_json, require_object

BESIDE = re.compile(r"sha256-(?P<hex>[0-9a-f]{64})(?P<kind>[.][A-Za-z0-9._-]+)?")
"""Tags beside an image: cosign's `.sig`, `.att` and `.sbom`, and the list of referrers where a
registry has no API for them. Source: sigstore/cosign, specs/SIGNATURE_SPEC.md; OCI Distribution
Specification 1.1, "Referrers Tag Schema"."""

FILES = ("application/vnd.oci.image.layer.", "application/vnd.docker.image.rootfs.")
"""How the kinds of a file system's layers begin. Source: OCI Image Specification 1.1, "Media
Types"; Docker's "Image Manifest Version 2, Schema 2"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a manifest says about others."""

    digest: str
    is_known: bool = True
    """False: it could not be read as an image or an index."""
    is_index: bool = False
    has_files: bool = False
    """Whether a layer is one of a file system: then it is an image, whatever a tag calls it."""
    children: tuple[str, ...] = ()
    subject: str | None = None


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """A repository at one moment. Without slots: what is derived of it is kept."""

    repository: str
    tags: Mapping[str, str]
    """Every tag, and the digest that it names."""
    manifests: Mapping[str, Manifest]
    gone: frozenset[str] = frozenset()
    """Digests that something speaks of, and that the registry says it does not have."""
    referrers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def tags_of(self, digest: str) -> tuple[str, ...]:
        """Return the tags that name a digest, sorted."""
        return self._names.get(digest, ())

    def standing_beside(self, digest: str) -> tuple[str, ...]:
        """Return the digests that stand beside a digest, by their tags."""
        return self._beside.get(digest, ())

    @cached_property
    def _names(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for name in sorted(self.tags):
            found.setdefault(self.tags[name], []).append(name)
        return {digest: tuple(names) for digest, names in found.items()}

    @cached_property
    def _beside(self) -> dict[str, tuple[str, ...]]:
        found: dict[str, list[str]] = {}
        for name, named in self.tags.items():
            place = self.place_of(name)
            if place is not None:
                found.setdefault(place[0], []).append(named)
        return {digest: tuple(digests) for digest, digests in found.items()}

    def place_of(self, tag: str) -> tuple[str, str] | None:
        """Return the digest that a tag stands beside, and its ending; None for another tag.

        Without an ending it is a list of referrers only if that is what it names: some give an
        image its own digest as a tag.
        """
        place = beside(tag)
        if place is None or place[1]:
            return place
        named = self.tags[tag]
        return place if named != place[0] and self.manifests[named].is_index else None


def beside(tag: str) -> tuple[str, str] | None:
    """Return the digest that a tag stands beside, and what it holds; None for another tag."""
    found = BESIDE.fullmatch(tag)
    return (f"sha256:{found['hex']}", (found["kind"] or "").lower()) if found else None


def take_snapshot(repository: PrunableRepository, fixed: Iterable[str]) -> Snapshot | None:
    """Read everything that can be found in a repository; None if there is no such repository.

    `fixed` are tags that must be in the list if they exist at all.

    Raises RemoteError if the registry does not tell, contradicts itself, or was written to
    meanwhile.
    """
    names = repository.tags()
    if names is None:
        return None
    _require_whole(repository, names, fixed)
    manifests = [_named(repository, name) for name in names]
    found = {manifest.digest: manifest for manifest in manifests}
    tags = {name: manifest.digest for name, manifest in zip(names, manifests, strict=True)}
    gone, referrers = _follow(repository, tags, found)
    if repository.tags() != names or any(repository.manifest(digest) for digest in gone):
        raise RemoteError(
            f"{repository.name} has changed while it was read",
            hint="let one job at a time write here (in GitLab: `resource_group`), and try again",
        )
    return Snapshot(
        repository=repository.name,
        tags=tags,
        manifests=found,
        gone=frozenset(gone),
        referrers=referrers,
    )


def _require_whole(
    repository: PrunableRepository, names: tuple[str, ...], fixed: Iterable[str]
) -> None:
    for name in fixed:
        if name not in names and repository.manifest(name) is not None:
            raise RemoteError(
                f"the registry has {repository.name}:{name}, and does not list it",
                hint="its list is cut off or old: nothing can be decided by it",
            )


def _named(repository: PrunableRepository, tag: str) -> Manifest:
    raw = repository.manifest(tag)
    if raw is None:
        raise RemoteError(
            f"the registry lists {repository.name}:{tag}, and does not have it",
            hint="its list is old, or somebody else deletes: try again",
        )
    return read_manifest(raw)


def _follow(
    repository: PrunableRepository, tags: Mapping[str, str], found: dict[str, Manifest]
) -> tuple[set[str], dict[str, tuple[str, ...]]]:
    """Add what tags beside images, indexes, subjects and referrers lead to."""
    gone: set[str] = set()
    referrers: dict[str, tuple[str, ...]] = {}
    has_referrers = True
    subjects = [place[0] for place in map(beside, tags) if place]
    queue = [*subjects, *found]
    looked: set[str] = set()
    while queue:
        digest = queue.pop()
        if digest in looked:
            continue
        looked.add(digest)
        manifest = found.get(digest)
        if manifest is None:
            raw = repository.manifest(digest)
            if raw is None:
                gone.add(digest)
            else:
                manifest = found[digest] = read_manifest(raw)
        answer = repository.referrers(digest) if has_referrers else None
        has_referrers = answer is not None
        referrers[digest] = answer or ()
        queue += referrers[digest]
        if manifest is not None:
            queue += [*manifest.children, *([manifest.subject] if manifest.subject else [])]
    return gone, referrers


def read_manifest(raw: bytes) -> Manifest:
    """Return what a manifest says about others; what is not understood is not known."""
    digest = digest_of(raw)
    try:
        document = require_object(parse_json(raw, "a manifest"), "a manifest")
        kind = document.get("mediaType")
        subject = digest_in(document["subject"]) if document.get("subject") else None
        if kind in INDEX_TYPES or (kind is None and "manifests" in document):
            entries = list_of(document.get("manifests"), "an index")
            children = tuple(map(digest_in, entries))
            return Manifest(digest=digest, is_index=True, children=children, subject=subject)
        known = kind in MANIFESTS or (kind is None and "layers" in document)
        files = any(map(_is_of_files, list_of(document.get("layers", []), "layers")))
        return Manifest(digest=digest, is_known=known, has_files=files, subject=subject)
    except Skipped:
        return Manifest(digest=digest, is_known=False)


def _is_of_files(layer: object) -> bool:
    kind = layer.get("mediaType") if isinstance(layer, dict) else None
    return isinstance(kind, str) and kind.startswith(FILES)
