"""skopeo: ask registries about images without fetching them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from immutable_base.context import Context
from immutable_base.errors import CommandError, RemoteError
from immutable_base.process import Command

TIMEOUT = 120.0
INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
PLATFORM = ("linux", "amd64")


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a reference points to now."""

    digest: str
    """`sha256:...` of the manifest for our platform."""
    created: int
    """Seconds since 1970; 0 when the image does not say."""


def resolve(context: Context, reference: str) -> Resolved:
    """Return the digest that a reference has now, for linux/amd64, and when it was made.

    Raises RemoteError if the registry cannot be asked or has no image for our platform.
    """
    raw = _inspect(context, reference, "--raw")
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    manifest = _document(raw, reference)
    if manifest.get("mediaType") in INDEX_TYPES or "manifests" in manifest:
        digest = _of_platform(manifest, reference)
    pinned = f"{repository_of(reference)}@{digest}"
    config = _document(_inspect(context, pinned, "--raw", "--config"), pinned)
    return Resolved(digest=digest, created=seconds(str(config.get("created") or "")))


def repository_of(reference: str) -> str:
    """Return a reference without its tag or digest; a port is not a tag."""
    name = reference.partition("@")[0]
    last = name.rfind("/")
    colon = name.find(":", last + 1)
    return name if colon < 0 else name[:colon]


def seconds(created: str) -> int:
    """Return an RFC 3339 time as seconds since 1970; 0 when there is none or it is older."""
    if not created:
        return 0
    try:
        return max(0, int(datetime.fromisoformat(created).timestamp()))
    except ValueError as error:
        raise RemoteError(f"the image says it was made at '{created}', which is no time") from error


def _inspect(context: Context, reference: str, *flags: str) -> bytes:
    argv = ("skopeo", "inspect", *flags, f"docker://{reference}")
    command = Command(argv=argv, timeout=TIMEOUT, env=context.tls_environment())
    try:
        return context.run(command).stdout
    except CommandError as error:
        raise RemoteError(
            f"the image {reference} cannot be looked up",
            details=error.details or error.message,
            hint="is the registry up, and does this machine trust its certificate?",
        ) from error


def _document(raw: bytes, reference: str) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except ValueError as error:
        raise RemoteError(f"the registry's answer about {reference} is not JSON") from error
    if not isinstance(document, dict):
        raise RemoteError(f"the registry's answer about {reference} is not an image")
    return document


def _of_platform(index: dict[str, Any], reference: str) -> str:
    for entry in index.get("manifests", ()):
        platform = entry.get("platform") or {}
        if (platform.get("os"), platform.get("architecture")) == PLATFORM:
            return str(entry.get("digest"))
    raise RemoteError(f"{reference} has no image for {'/'.join(PLATFORM)}")
