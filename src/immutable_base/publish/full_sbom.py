"""The full SBOM into the registry: an artifact that refers to the image.

Where a registry keeps no list of what refers to an image, the client does, under a tag. Source: OCI
Image Specification 1.1, "Guidelines for Artifact Usage"; OCI Distribution Specification 1.1,
"Referrers Tag Schema".
"""

from __future__ import annotations

import hashlib
import json
import tempfile
from pathlib import Path
from typing import Any

from immutable_base.errors import RemoteError
from immutable_base.image.oci import read_json
from immutable_base.model.sbom import full_sbom_path
from immutable_base.publish.publisher import Publisher
from immutable_base.publish.request import PublishRequest
from immutable_base.tools import skopeo
from immutable_base.verification.complete.full_sbom import MEDIA_TYPE
from immutable_base.verification.complete.referrers import ReferrersReader, referrers_tag
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import list_of, parse_json, require_object

MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"
EMPTY = "application/vnd.oci.empty.v1+json"
"""Of the configuration of an artifact, which has none."""


def attach_full_sbom(publisher: Publisher, request: PublishRequest) -> None:
    """Push the full SBOM as an artifact that refers to the image, and see that it can be found.

    The same SBOM of the same image is the same artifact. Raises RemoteError if the registry does
    not take it, or something else lies where the list of referrers belongs.
    """
    with tempfile.TemporaryDirectory(dir=request.sbom.parent, prefix=".full-sbom.") as scratch:
        entry = write_artifact(Path(scratch), request)
        pinned = f"{request.repository}@{entry['digest']}"
        skopeo.push(publisher.run, Path(scratch), pinned, publisher.sigstore.environment)
    publisher.verifier.reading(request.repository, lambda reader: _list(reader, request, entry))


def write_artifact(folder: Path, request: PublishRequest) -> dict[str, Any]:
    """Write an OCI layout with the artifact, and return its entry in a list of referrers."""
    manifest = read_json(request.layout, request.digest)
    size = (request.layout / "blobs" / request.digest.replace(":", "/")).stat().st_size
    full = full_sbom_path(request.sbom)
    layer = _put(folder, full.read_bytes(), MEDIA_TYPE)
    raw = json.dumps({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "artifactType": MEDIA_TYPE,
        "config": _put(folder, b"{}", EMPTY),
        "layers": [{**layer, "annotations": {"org.opencontainers.image.title": full.name}}],
        "subject": {
            "mediaType": manifest.get("mediaType", MANIFEST),
            "digest": request.digest,
            "size": size,
        },
    }).encode()  # fmt: skip
    entry = _put(folder, raw, MANIFEST)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return {**entry, "artifactType": MEDIA_TYPE}


def _put(folder: Path, raw: bytes, kind: str) -> dict[str, Any]:
    """Put a blob into a layout, and return its descriptor."""
    digest = hashlib.sha256(raw).hexdigest()
    path = folder / "blobs" / "sha256" / digest
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(raw)
    return {"mediaType": kind, "digest": f"sha256:{digest}", "size": len(raw)}


def _list(reader: ReferrersReader, request: PublishRequest, entry: dict[str, Any]) -> None:
    """Put the artifact into the list of referrers that a registry does not keep itself."""
    if reader.referrers(request.digest, MEDIA_TYPE) is not None:
        return
    tag = referrers_tag(request.digest)
    raw = reader.manifest(tag)
    try:
        others = [] if raw is None else _entries(raw)
    except Skipped as one:
        raise RemoteError(
            f"something else lies where the list of referrers of {request.pinned} belongs",
            details=one.reason,
            hint=f"whoever may delete in this registry must delete the tag "
            f"{request.repository}:{tag}; then run again",
        ) from one
    if entry["digest"] in {it.get("digest") for it in others}:
        return
    index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": [entry, *others]}
    reader.put_manifest(tag, json.dumps(index).encode(), INDEX)


def _entries(raw: bytes) -> list[dict[str, Any]]:
    what = "the list of referrers"
    index = require_object(parse_json(raw, what), what)
    return [require_object(it, what) for it in list_of(index.get("manifests"), what)]
