"""A root file system as an image: one layer in an OCI layout, the same bytes for the same files.

Source: OCI Image Format Specification 1.1, image-layout.md and config.md.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from immutable_base.process import Command, run
from immutable_base.workspace import file_digest

TYPES = "application/vnd.oci.image"


@dataclass(frozen=True, slots=True, kw_only=True)
class PlainImage:
    """What becomes an image."""

    tree: Path
    created: int
    """Seconds since 1970; no file in the image is younger."""
    command: tuple[str, ...]
    labels: Mapping[str, str]


def write(image: PlainImage, layout: Path) -> None:
    """Write the layout, whose folder must not be there. Raises CommandError."""
    blobs = layout / "blobs" / "sha256"
    blobs.mkdir(parents=True)
    layer = layout / "layer.tar"
    _pack(image, layer)
    unpacked = f"sha256:{file_digest(layer)}"
    run(Command(argv=("gzip", "--fast", "--no-name", str(layer)), timeout=600))
    descriptor = _store_file(layer.with_name("layer.tar.gz"), blobs, f"{TYPES}.layer.v1.tar+gzip")
    created = datetime.fromtimestamp(image.created, UTC).isoformat().replace("+00:00", "Z")
    config = {
        "created": created,
        "architecture": "amd64",
        "os": "linux",
        "config": {"Cmd": list(image.command), "Labels": dict(image.labels)},
        "rootfs": {"type": "layers", "diff_ids": [unpacked]},
        "history": [{"created": created, "created_by": "the lab"}],
    }
    manifest = {
        "schemaVersion": 2,
        "mediaType": f"{TYPES}.manifest.v1+json",
        "config": _store_json(config, layout, f"{TYPES}.config.v1+json"),
        "layers": [descriptor],
    }
    index = {
        "schemaVersion": 2,
        "manifests": [_store_json(manifest, layout, manifest["mediaType"])],
    }
    (layout / "index.json").write_text(json.dumps(index))
    (layout / "oci-layout").write_text(json.dumps({"imageLayoutVersion": "1.0.0"}))


def _pack(image: PlainImage, layer: Path) -> None:
    """Write the tree as a tar archive in the order of names."""
    argv = (
        "tar", "--create", f"--file={layer}", f"--directory={image.tree}", "--format=gnu",
        "--sort=name", "--numeric-owner", f"--mtime=@{image.created}", "--clamp-mtime", ".",
    )  # fmt: skip
    run(Command(argv=argv, timeout=600))


def _store_json(
    document: Mapping[str, object], layout: Path, media_type: object
) -> dict[str, object]:
    file = layout / "document.json"
    file.write_text(json.dumps(document, sort_keys=True))
    return _store_file(file, layout / "blobs" / "sha256", media_type)


def _store_file(file: Path, blobs: Path, media_type: object) -> dict[str, object]:
    """Move a file to its place in the layout; return its descriptor."""
    digest = file_digest(file)
    size = file.stat().st_size
    file.rename(blobs / digest)
    return {"mediaType": media_type, "digest": f"sha256:{digest}", "size": size}
