"""Images of one small file, and a plan that fits them: for tests of what happens to any image."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path


def write_layout(folder: Path, content: str) -> str:
    """Write an OCI layout with one image of one file and return its digest."""
    blobs = folder / "blobs" / "sha256"
    blobs.mkdir(parents=True, exist_ok=True)

    def put(data: bytes, media_type: str) -> dict:
        digest = hashlib.sha256(data).hexdigest()
        (blobs / digest).write_bytes(data)
        return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}

    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo("content")
        member.size = len(content.encode())
        archive.addfile(member, io.BytesIO(content.encode()))
    difference = f"sha256:{hashlib.sha256(buffer.getvalue()).hexdigest()}"
    oci = "application/vnd.oci.image"
    rootfs = {"type": "layers", "diff_ids": [difference]}
    config = {"architecture": "amd64", "os": "linux", "config": {}, "rootfs": rootfs}
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{oci}.manifest.v1+json",
        "config": put(json.dumps(config).encode(), f"{oci}.config.v1+json"),
        "layers": [put(gzip.compress(buffer.getvalue(), mtime=0), f"{oci}.layer.v1.tar+gzip")],
    }
    entry = put(json.dumps(manifest).encode(), f"{oci}.manifest.v1+json")
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return entry["digest"]
