"""What instances are built on: the digests that their images name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from immutable_base.errors import ConfigurationError, NoSuchImageError, RemoteError
from immutable_base.model.prune import BaseInUse
from immutable_base.model.reference import DIGEST
from immutable_base.prune.repository import PrunableRepository
from immutable_base.prune.snapshot import beside, read_manifest
from immutable_base.verification.image import BASE_DIGEST, LARGEST_CONFIG, digest_of
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import (
    Object,
    count_of,
    parse_json,
    require_object,
    text_of,
)


def bases_in(repository: PrunableRepository) -> dict[str, set[str]]:
    """Return the digests that a repository's images are built on, each with the images' names.

    Images without a tag count as long as a signature beside them tells of them. Raises
    NoSuchImageError if there is no such repository, ConfigurationError if an image does not say
    what it is built on, RemoteError if the registry does not tell.
    """
    names = repository.tags()
    if names is None:
        raise NoSuchImageError(
            f"the registry has no repository {repository.name}, which --instances names"
        )
    found: dict[str, set[str]] = {}
    places = [(name, beside(name)) for name in names]
    plain = {name for name, place in places if place is None or not place[1]}
    for name in sorted(plain | {place[0] for _, place in places if place}):
        raw = repository.manifest(name)
        if raw is None and DIGEST.fullmatch(name):
            continue  # only its signature is left
        if raw is None:
            raise RemoteError(f"the registry lists {repository.name}:{name}, and does not have it")
        if beside(name) is not None and read_manifest(raw).is_index:
            continue  # a list of referrers
        mark = "@" if DIGEST.fullmatch(name) else ":"
        for base in _bases_of(repository, f"{repository.name}{mark}{name}", raw):
            found.setdefault(base, set()).add(f"{repository.name}{mark}{name}")
    return found


def _bases_of(repository: PrunableRepository, name: str, raw: bytes) -> set[str]:
    """Return what an image, or every image of an index, is built on."""
    manifest = read_manifest(raw)
    if not manifest.is_index:
        return _stated(repository, name, raw)
    found = set[str]()
    for child in manifest.children:
        inner = repository.manifest(child)
        if inner is None:
            raise RemoteError(f"the registry has only a part of {name}")
        found |= _stated(repository, name, inner)
    return found


def _stated(repository: PrunableRepository, name: str, raw: bytes) -> set[str]:
    try:
        document = require_object(parse_json(raw, "its manifest"), "its manifest")
        config = require_object(document.get("config"), "its configuration")
        digest = text_of(config.get("digest"), "its configuration's digest")
        size = min(count_of(config.get("size"), "its configuration's size"), LARGEST_CONFIG)
        content = repository.reader.blob(digest, size)
        if content is None or digest_of(content) != digest:
            raise RemoteError(f"the registry does not have the configuration of {name}")
        inner = require_object(parse_json(content, "its configuration"), "its configuration")
        found = _values(inner.get("config"), "Labels") | _values(document, "annotations")
    except Skipped as one:
        raise RemoteError(f"{name} cannot be read", details=one.reason) from one
    if not found:
        raise ConfigurationError(
            f"{name} does not say what it is built on: it has no {BASE_DIGEST}",
            hint="an instance's build sets this label to the digest of its base; until then "
            "nothing can be pruned that it may need. Delete that tag if nobody uses it",
        )
    return found


def _values(holder: object, key: str) -> set[str]:
    """Return the digest among an object's labels or annotations, if there is one."""
    inner: Object = require_object(holder or {}, "its configuration")
    value = require_object(inner.get(key) or {}, "its labels").get(BASE_DIGEST)
    return {value} if isinstance(value, str) and DIGEST.fullmatch(value) else set()


def require_known(
    bases: Mapping[str, Iterable[str]], repositories: Iterable[PrunableRepository]
) -> tuple[BaseInUse, ...]:
    """Return what is in use; every instance must be built on something that is here.

    An image inherits the labels of its base: one that names a digest that is nowhere here may be
    built on any image of ours, and names what that one is built on. Raises ConfigurationError.
    """
    places = tuple(repositories)
    by_user: dict[str, set[str]] = {}
    for digest, users in bases.items():
        for user in users:
            by_user.setdefault(user, set()).add(digest)
    here = {digest for digest in bases if any(it.has(digest) for it in places)}
    lost = sorted(user for user, digests in by_user.items() if not digests & here)
    if lost:
        raise ConfigurationError(
            "nothing can be pruned: instances name a base that is in none of our repositories",
            details="\n".join(f"{user}: {', '.join(sorted(by_user[user]))}" for user in lost),
            hint=f"the label {BASE_DIGEST} is inherited from our own image unless the instance's "
            "build sets it. Build these again, or delete those that nobody uses",
        )
    return tuple(
        BaseInUse(digest=digest, used_by=tuple(sorted(bases[digest]))) for digest in sorted(here)
    )
