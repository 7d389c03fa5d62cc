"""Images of one small file, and a plan that fits them: for tests of what happens to any image."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path

OCI = "application/vnd.oci.image"


def write_layout(folder: Path, content: str) -> str:
    """Write an OCI layout with one image of one file and return its digest."""
    archive = _archive(content)
    difference = f"sha256:{hashlib.sha256(archive).hexdigest()}"
    rootfs = {"type": "layers", "diff_ids": [difference]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    return write_image(folder, json.dumps(config).encode(), archive)


def write_image(folder: Path, config: bytes, archive: bytes = b"layer") -> str:
    """Write an OCI layout with one image of one layer and return its digest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def put(data: bytes, media_type: str) -> dict:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": put(config, f"{OCI}.config.v1+json"),
        "layers": [put(gzip.compress(archive, mtime=0), f"{OCI}.layer.v1.tar+gzip")],
    }
    entry = put(json.dumps(manifest).encode(), f"{OCI}.manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return entry["digest"]


def _archive(content: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("content")
        member.size = len(content.encode())
        archive.addfile(member, io.BytesIO(content.encode()))
    return buffer.getvalue()
