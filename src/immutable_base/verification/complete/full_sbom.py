"""The full SBOM beside an image: it is trusted because the attested, slim one names its SHA-256.

It is an artifact that refers to the image; where a registry has no list of those, the tag
`sha256-<digest>` names one. Both are only places to look in: whoever may write to the registry may
write there. Source: OCI Distribution Specification 1.1, "Listing Referrers", "Referrers Tag
Schema".
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass

from immutable_base.errors import (
    FullSbomError,
    MissingFullSbomError,
    OtherFullSbomError,
    SwappedFullSbomError,
    TooLargeError,
)
from immutable_base.verification.complete.referrers import ReferrersReader, referrers_tag
from immutable_base.verification.image import digest_of
from immutable_base.verification.skipped import Skipped, skipping
from immutable_base.verification.strict import (
    DIGEST,
    HEX,
    Object,
    count_of,
    list_of,
    parse_json,
    require_object,
    text_of,
)

MEDIA_TYPE = "application/vnd.cyclonedx+json"
"""Artifact type of the referrer, and media type of the document in it. Source: IANA."""
LARGEST = 64 << 20
"""Bytes; that of an image with 700 packages has about 2 MiB."""
MOST_LOOKED_AT = 40
"""Referrers of this type; ours is one. Of more the document itself is asked for, by its SHA-256:
whoever may write to the registry can hide the artifact, but not what is attested."""
HINT = "who may write to this registry? To publish the image again puts back what belongs there"


@dataclass(frozen=True, slots=True, kw_only=True)
class FullSbom:
    """The full SBOM of an image, of which every byte is what the attested SBOM names."""

    sha256: str
    referrer: str
    """Digest of the artifact that holds it; empty if it is hidden by too many others."""
    raw: bytes
    document: Object


@dataclass(frozen=True, slots=True, kw_only=True)
class _Referrer:
    """What an artifact beside the image says of itself."""

    digest: str
    subject: str
    blob: str
    size: int


def _named(sbom: Object) -> str:
    what = "the SBOM's reference to the full one"
    references = list_of(sbom.get("externalReferences", []), what)
    found = [
        require_object(item, what)
        for item in references
        if isinstance(item, dict) and item.get("type") == "bom"
    ]
    if len(found) != 1:
        raise Skipped("the attested SBOM names no full one, or more than one")
    hashes = list_of(found[0].get("hashes"), what)
    if len(hashes) != 1 or require_object(hashes[0], what).get("alg") != "SHA-256":
        raise Skipped(f"{what} has no SHA-256")
    sha256 = text_of(hashes[0].get("content"), what)
    if not HEX.fullmatch(sha256):
        raise Skipped(f"{what} has no SHA-256")
    return sha256


def require_named(pinned: str, sbom: Object) -> str:
    """Return the SHA-256 of the full SBOM that the attested one of an image names.

    Raises MissingFullSbomError if it names none.
    """
    try:
        with skipping("the SBOM's reference to the full one"):
            return _named(sbom)
    except Skipped as one:
        raise MissingFullSbomError(f"{pinned} has no full SBOM", details=one.reason) from one


def find_full_sbom(reader: ReferrersReader, pinned: str, sbom: Object) -> FullSbom:
    """Return the full SBOM that the attested one of an image names.

    Raises MissingFullSbomError, SwappedFullSbomError, OtherFullSbomError; `reader` raises
    RemoteError if nothing can be known.
    """
    digest, sha256 = pinned.partition("@")[2], require_named(pinned, sbom)
    errors: list[FullSbomError] = []
    for referrer in _places(reader, digest, sha256):
        try:
            return _read(reader, pinned, referrer, sha256, sbom)
        except FullSbomError as error:
            errors.append(error)
    if not errors:
        raise MissingFullSbomError(
            f"the registry has no full SBOM of {pinned}",
            details=f"the attested SBOM names one with the SHA-256 {sha256}",
            hint=HINT,
        )
    raise errors[0]


def _read(
    reader: ReferrersReader, pinned: str, referrer: _Referrer, sha256: str, sbom: Object
) -> FullSbom:
    if referrer.subject != pinned.partition("@")[2]:
        raise OtherFullSbomError(
            f"the full SBOM beside {pinned} is about another image",
            details=f"{referrer.digest} refers to {referrer.subject}",
            hint=HINT,
        )
    swapped = SwappedFullSbomError(
        f"the full SBOM beside {pinned} is not the one that the attested SBOM names",
        details=f"attested: sha256:{sha256}\nfound:    {referrer.blob}, in {referrer.digest}",
        hint=HINT,
    )
    if referrer.blob != f"sha256:{sha256}":
        raise swapped
    try:
        raw = reader.blob(referrer.blob, referrer.size)
    except TooLargeError as error:  # Anybody may claim another size of what is good.
        raise swapped from error
    if raw is None:
        raise MissingFullSbomError(
            f"the registry has lost the full SBOM of {pinned}", details=referrer.blob, hint=HINT
        )
    if hashlib.sha256(raw).hexdigest() != sha256:
        raise swapped
    document = _document(pinned, raw, sbom)
    return FullSbom(sha256=sha256, referrer=referrer.digest, raw=raw, document=document)


def _document(pinned: str, raw: bytes, sbom: Object) -> Object:
    """Return a full SBOM that is about the same image as the attested one."""
    error = OtherFullSbomError(
        f"the full SBOM of {pinned} is about another image than the attested"
    )
    try:
        with skipping("the full SBOM"):
            document = require_object(parse_json(raw, "the full SBOM"), "the full SBOM")
            list_of(document.get("components", []), "its components")
            same = _subject(document) == _subject(sbom)
    except Skipped as one:
        raise OtherFullSbomError(error.message, details=one.reason) from one
    if not same:
        raise error
    return document


def _subject(document: Object) -> object:
    metadata = require_object(document.get("metadata", {}), "its metadata")
    return metadata.get("component")


def _places(reader: ReferrersReader, digest: str, sha256: str) -> Iterator[_Referrer]:
    """Yield where the full SBOM of an image may be: its artifact, or the document alone."""
    pages = reader.referrers(digest, MEDIA_TYPE)
    if pages is None:
        raw = reader.manifest(referrers_tag(digest))
        pages = () if raw is None else (raw,)
    listed = [entry for page in pages for entry in _entries(page)]
    ours = [entry for entry in listed if entry.get("artifactType") == MEDIA_TYPE]
    yield from _referrers(reader, ours[:MOST_LOOKED_AT])
    if len(ours) > MOST_LOOKED_AT:
        yield _Referrer(digest="", subject=digest, blob=f"sha256:{sha256}", size=LARGEST)


def _referrers(reader: ReferrersReader, entries: list[Object]) -> Iterator[_Referrer]:
    """Yield what refers to an image as a full SBOM would, as far as it can be read."""
    for entry in entries:
        try:
            with skipping("a referrer"):
                name = text_of(entry.get("digest"), "a referrer's digest")
            raw = reader.manifest(name) if DIGEST.fullmatch(name) else None
            if raw is None or digest_of(raw) != name:
                continue
            with skipping("a referrer"):
                yield _referrer(name, raw)
        except Skipped:
            continue


def _entries(page: bytes) -> list[Object]:
    try:
        with skipping("a list of referrers"):
            index = require_object(parse_json(page, "a list of referrers"), "a list of referrers")
            found = list_of(index.get("manifests"), "a list of referrers")
            return [entry for entry in found if isinstance(entry, dict)]
    except Skipped:
        return []


def _referrer(name: str, raw: bytes) -> _Referrer:
    what = "a referrer's manifest"
    manifest = require_object(parse_json(raw, what), what)
    subject = require_object(manifest.get("subject"), what)
    layers = list_of(manifest.get("layers"), what)
    if len(layers) != 1 or manifest.get("artifactType") != MEDIA_TYPE:
        raise Skipped(f"{what} does not hold one document")
    layer = require_object(layers[0], what)
    size = count_of(layer.get("size"), what)
    if layer.get("mediaType") != MEDIA_TYPE or size > LARGEST:
        raise Skipped(f"{what} does not hold a document of a size that is acceptable")
    named = [text_of(it.get("digest"), what) for it in (subject, layer)]
    if not all(map(DIGEST.fullmatch, named)):
        raise Skipped(f"{what} names something by no SHA-256")
    return _Referrer(digest=name, subject=named[0], blob=named[1], size=size)
