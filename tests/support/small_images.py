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
    (folder / "blobs" / "sha256").mkdir(parents=True, exist_ok=True)
    (folder / "oci-layout").write_text('{"imageLayoutVersion": "1.0.0"}')
    return _put_image(folder, config, [_put_layer(folder, archive)])


def add_layer(folder: Path, name: str, content: str) -> str:
    """Put a layer with one file on top of a layout's image and return its new digest."""
    blobs = folder / "blobs"
    index = json.loads((folder / "index.json").read_text())
    manifest = json.loads((blobs / index["manifests"][0]["digest"].replace(":", "/")).read_text())
    config = json.loads((blobs / manifest["config"]["digest"].replace(":", "/")).read_text())
    archive = _archive(content, name)
    config["rootfs"]["diff_ids"].append(f"sha256:{hashlib.sha256(archive).hexdigest()}")
    config.get("history", []).append({"created_by": "a test"})
    layers = [*manifest["layers"], _put_layer(folder, archive)]
    return _put_image(folder, json.dumps(config).encode(), layers)


def _put_image(folder: Path, config: bytes, layers: list[dict]) -> str:
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{OCI}.manifest.v1+json",
        "config": _put(folder, config, f"{OCI}.config.v1+json"),
        "layers": layers,
    }
    entry = _put(folder, json.dumps(manifest).encode(), f"{OCI}.manifest.v1+json")
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    return entry["digest"]


def _put_layer(folder: Path, archive: bytes) -> dict:
    return _put(folder, gzip.compress(archive, mtime=0), f"{OCI}.layer.v1.tar+gzip")


def _put(folder: Path, data: bytes, media_type: str) -> dict:
    digest = hashlib.sha256(data).hexdigest()
    (folder / "blobs" / "sha256" / digest).write_bytes(data)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": len(data)}


def _archive(content: str, name: str = "content") -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        member = tarfile.TarInfo(name)
        member.size = len(content.encode())
        archive.addfile(member, io.BytesIO(content.encode()))
    return buffer.getvalue()
