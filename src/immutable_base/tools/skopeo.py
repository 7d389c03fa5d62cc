"""skopeo: asks registries about images, and carries images and tags into them.

skopeo 1.9 (Debian 12) and later push to `repository@digest` without making a tag. Every `env` says
which CAs to trust.
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from immutable_base.errors import CommandError, RemoteError
from immutable_base.model.reference import DIGEST, Reference
from immutable_base.process import Command, Runner
from immutable_base.tools.limits import QUICK, TRANSFER
from immutable_base.tools.outages import remote_kind

INDEX_TYPES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
PLATFORM = ("linux", "amd64")
_NOT_THERE = ("manifest unknown", "name unknown", "repository name not known to registry")
"""Codes of the OCI Distribution Specification 1.1, as skopeo spells them."""
_NOT_ALLOWED = ("unauthorized", "denied", "forbidden")
"""Codes of the same, and the words of HTTP status 403."""
_LOGIN_HINT = "log in: `skopeo login`, or REGISTRY_AUTH_FILE"
_HINT = "is the registry up, and does this machine trust its certificate?"
_WRITE_HINT = (
    "is the registry up, is its certificate trusted, may this login write "
    "(`skopeo login`, or REGISTRY_AUTH_FILE)?"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolved:
    """What a reference points to now."""

    digest: str
    """`sha256:...` of the manifest for our platform."""
    created: int
    """Seconds since 1970; 0 when the image does not state it."""
    labels: Mapping[str, str]


def resolve(run: Runner, reference: str, env: Mapping[str, str]) -> Resolved:
    """Return the digest that a reference has now, for linux/amd64, and when it was made.

    Raises ConfigurationError if it is not a reference, RemoteError if the registry cannot be asked
    or has no image for our platform.
    """
    parsed = Reference.parse(reference)
    raw = _inspect(run, reference, env)
    digest = _digest(raw)
    manifest = _document(raw, reference)
    if manifest.get("mediaType") in INDEX_TYPES or "manifests" in manifest:
        digest = _of_platform(manifest, reference)
    pinned = parsed.pinned(digest)
    config = _document(_inspect(run, pinned, env, "--config"), pinned)
    return Resolved(
        digest=digest,
        created=seconds(str(config.get("created") or "")),
        labels=_labels(config),
    )


def manifest_digest(run: Runner, reference: str, env: Mapping[str, str]) -> str | None:
    """Return the digest of the manifest that a tag or digest names, None if there is none.

    It is computed from the manifest's bytes, not taken from what the registry says about them.
    Raises RemoteError if the registry does not answer.
    """
    try:
        return _digest(_inspect(run, reference, env))
    except RemoteError as error:
        output = (error.details or "").lower()
        if any(code in output for code in _NOT_THERE):
            return None
        raise


class NotAllowedError(RemoteError):
    """The registry wants a login, or another one; of an image that is not there it may say so."""


def published_labels(run: Runner, reference: str, env: Mapping[str, str]) -> dict[str, str] | None:
    """Return the labels of an image that we published, None if the registry has no such image.

    Raises NotAllowedError if the registry does not tell, RemoteError if it does not answer.
    """
    try:
        raw = _inspect(run, reference, env, "--config")
    except RemoteError as error:
        output = (error.details or "").lower()
        if any(code in output for code in _NOT_THERE):
            return None
        if any(code in output for code in _NOT_ALLOWED):
            raise NotAllowedError(error.message, details=error.details, hint=_LOGIN_HINT) from error
        raise
    return _labels(_document(raw, reference))


def push(run: Runner, layout: Path, pinned: str, env: Mapping[str, str]) -> None:
    """Copy the only image of an OCI layout to `repository@sha256:...`, which makes no tag.

    Raises RemoteError with skopeo's own output if the registry does not take it.
    """
    failure = f"the registry did not take {pinned}"
    _copy(run, f"oci:{layout}", f"docker://{pinned}", env, failure, _WRITE_HINT)


def fetch(run: Runner, pinned: str, layout: Path, env: Mapping[str, str]) -> None:
    """Copy the image `repository@sha256:...` into a new OCI layout, whole or not at all.

    Raises RemoteError with skopeo's own output if the registry does not give it.
    """
    with tempfile.TemporaryDirectory(dir=layout.parent, prefix=f".{layout.name}.") as scratch:
        partial = Path(scratch) / "layout"
        failure = f"the registry did not give {pinned}"
        _copy(run, f"docker://{pinned}", f"oci:{partial}", env, failure, _HINT)
        partial.rename(layout)


def move_tag(run: Runner, pinned: str, tagged: str, env: Mapping[str, str]) -> None:
    """Make `repository:tag` name the manifest of `repository@sha256:...`.

    Raises RemoteError with skopeo's own output if the registry refuses.
    """
    failure = f"the registry did not set the tag {tagged}"
    _copy(run, f"docker://{pinned}", f"docker://{tagged}", env, failure, _WRITE_HINT)


def seconds(created: str) -> int:
    """Return an RFC 3339 time as seconds since 1970; 0 when there is none or it is older.

    Without a zone, which RFC 3339 does not allow, it is taken as UTC.
    """
    if not created:
        return 0
    try:
        found = datetime.fromisoformat(created)
        return max(0, int((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()))
    except (ValueError, OverflowError) as error:
        raise RemoteError(f"the image says it was made at '{created}', which is no time") from error


def _inspect(run: Runner, reference: str, env: Mapping[str, str], *flags: str) -> bytes:
    argv = ("skopeo", "inspect", "--raw", *flags, f"docker://{reference}")
    try:
        return run(Command(argv=argv, timeout=QUICK, env=env)).stdout
    except CommandError as error:
        raise _remote(f"the image {reference} cannot be looked up", error, _HINT) from error


def _copy(
    run: Runner, source: str, target: str, env: Mapping[str, str], failure: str, hint: str
) -> None:
    argv = ("skopeo", "copy", "--quiet", "--preserve-digests", source, target)
    try:
        run(Command(argv=argv, timeout=TRANSFER, env=env))
    except CommandError as error:
        raise _remote(failure, error, hint) from error


def _remote(failure: str, error: CommandError, hint: str) -> RemoteError:
    output = error.details or error.message
    return remote_kind(output)(failure, details=output, hint=hint)


def _digest(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def _document(raw: bytes, reference: str) -> dict[str, Any]:
    try:
        document = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise RemoteError(f"the registry's answer about {reference} is not JSON") from error
    if not isinstance(document, dict):
        raise RemoteError(f"the registry's answer about {reference} is not an image")
    return document


def _labels(config: Mapping[str, Any]) -> dict[str, str]:
    """Return the labels of an image's configuration; what is none is left out."""
    inner = config.get("config")
    labels = inner.get("Labels") if isinstance(inner, dict) else None
    found = labels.items() if isinstance(labels, dict) else ()
    return {key: value for key, value in found if isinstance(value, str)}


def _of_platform(index: dict[str, Any], reference: str) -> str:
    entries = index.get("manifests")
    for entry in entries if isinstance(entries, list) else ():
        platform = entry.get("platform") if isinstance(entry, dict) else None
        if not isinstance(platform, dict):
            continue
        if (platform.get("os"), platform.get("architecture")) == PLATFORM:
            digest = str(entry.get("digest"))
            if DIGEST.fullmatch(digest):
                return digest
    raise RemoteError(f"{reference} has no image for {'/'.join(PLATFORM)}")
