"""The image itself: the registry must have it, under this digest, for this platform."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from immutable_base.errors import (
    BrokenProofError,
    NoSuchImageError,
    TooLargeError,
    VerificationError,
)
from immutable_base.verification.reader import Reader
from immutable_base.verification.skipped import Skipped, skipping
from immutable_base.verification.strict import (
    DIGEST,
    Object,
    count_of,
    list_of,
    parse_json,
    require_object,
    text_of,
)

PLATFORM = ("linux", "amd64")
MANIFESTS = {
    "application/vnd.oci.image.manifest.v1+json": "application/vnd.oci.image.config.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json": (
        "application/vnd.docker.container.image.v1+json"
    ),
}
"""Media types of an image's manifest, and of the configuration that belongs to each."""
LARGEST_CONFIG = 8 << 20
BASE_DIGEST = "org.opencontainers.image.base.digest"
"""Source: OCI Image Specification 1.1, "Annotations"; here a label."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageWords:
    """What an image says of itself."""

    created: str
    """When it was made; empty if it does not say."""
    base: str
    """Digest of the image that it is built on; empty if it does not say."""


def digest_of(raw: bytes) -> str:
    """Return the digest of a manifest or blob."""
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def require_image(reader: Reader, pinned: str, digest: str) -> ImageWords:
    """Return what an image says of itself, if it is there and for our platform.

    Raises NoSuchImageError, BrokenProofError if what it serves has another digest,
    VerificationError if it is something else than an image.
    """
    raw = reader.manifest(digest)
    if raw is None:
        raise NoSuchImageError(f"the registry has no image {pinned}")
    if digest_of(raw) != digest:
        raise BrokenProofError(f"the registry serves another manifest than {pinned}")
    try:
        config = _config_of(raw)
        found = reader.blob(text_of(config["digest"], "the configuration"), config["size"])
        if found is None:
            raise NoSuchImageError(f"the registry has only a part of {pinned}")
        if digest_of(found) != config["digest"]:
            raise BrokenProofError(f"the registry serves another configuration of {pinned}")
        return _require_platform(found)
    # Anybody may claim another size of what is in the registry: it is no image, and that is known.
    except (Skipped, TooLargeError) as one:
        raise VerificationError(
            f"{pinned} is not an image that can be verified", details=str(one)
        ) from one


def _config_of(raw: bytes) -> Object:
    with skipping("the manifest"):
        manifest = require_object(parse_json(raw, "the manifest"), "the manifest")
        if "manifests" in manifest:
            raise Skipped(_of_an_index(manifest))
        kind = text_of(manifest.get("mediaType"), "the manifest's media type")
        config = require_object(manifest.get("config"), "the manifest's configuration")
        if kind not in MANIFESTS or config.get("mediaType") != MANIFESTS[kind]:
            raise Skipped(f"it is a {kind} with a {config.get('mediaType')}")
        list_of(manifest.get("layers"), "the manifest's layers")
        if not DIGEST.fullmatch(text_of(config.get("digest"), "the configuration's digest")):
            raise Skipped("the configuration's digest is not a SHA-256")
        if count_of(config.get("size"), "the configuration's size") > LARGEST_CONFIG:
            raise Skipped("the configuration is too large")
        return config


def _of_an_index(manifest: Object) -> str:
    """Say why an index is refused, and what to verify instead."""
    entries = list_of(manifest["manifests"], "the index")
    digests = [
        str(entry.get("digest"))
        for entry in entries
        if isinstance(entry, dict)
        and isinstance(entry.get("platform"), dict)
        and (entry["platform"].get("os"), entry["platform"].get("architecture")) == PLATFORM
    ]
    which = ", ".join(digests[:5]) or "it has none"
    return (
        "it is an index of several images, and a signature of it says nothing about which one a "
        f"host takes; verify the image for {'/'.join(PLATFORM)} itself: {which}"
    )


def _require_platform(raw: bytes) -> ImageWords:
    with skipping("the image's configuration"):
        config = require_object(parse_json(raw, "the configuration"), "the configuration")
        found = (config.get("os"), config.get("architecture"))
        if found != PLATFORM:
            raise Skipped(f"it is for {found[0]}/{found[1]}, not for {'/'.join(PLATFORM)}")
        inner = config.get("config")
        labels = inner.get("Labels") if isinstance(inner, dict) else None
        base = labels.get(BASE_DIGEST, "") if isinstance(labels, dict) else ""
        return ImageWords(
            created=text_of(config.get("created", ""), "the image's time"),
            base=text_of(base, "the image's label of its base"),
        )
