"""What differs between two images that should be equal: by layer and file."""

from __future__ import annotations

import hashlib
import tarfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from immutable_base.image.oci import blob, only_manifest, read_json


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One thing that two images do not have alike."""

    where: str
    """`configuration`, or `layer N` counted from the base upwards."""
    path: str
    message: str


def compare_layouts(one: Path, other: Path) -> tuple[Difference, ...]:
    """Compare two OCI layouts with one image each; equal images give nothing.

    Layers with the same digest are equal and are not opened.
    """
    manifests = [_manifest(folder) for folder in (one, other)]
    if manifests[0] == manifests[1]:
        return ()
    found = _compare_config(
        *(read_json(f, m["config"]["digest"]) for f, m in zip((one, other), manifests, strict=True))
    )
    layers = [[layer["digest"] for layer in manifest["layers"]] for manifest in manifests]
    if len(layers[0]) != len(layers[1]):
        message = f"{len(layers[0])} against {len(layers[1])}"
        found.append(Difference(where="manifest", path="layers", message=message))
    for number, (left, right) in enumerate(zip(*layers, strict=False)):
        if left != right:
            found += _compare_layer(f"layer {number}", blob(one, left), blob(other, right))
    return tuple(found)


def _manifest(folder: Path) -> dict[str, Any]:
    return read_json(folder, only_manifest(folder))


def _compare_config(one: dict[str, Any], other: dict[str, Any]) -> list[Difference]:
    # diff_ids differ if and only if a layer does, which is reported by file.
    keys = sorted((one.keys() | other.keys()) - {"rootfs"})
    return [
        Difference(
            where="configuration", path=key, message=f"{one.get(key)} against {other.get(key)}"
        )
        for key in keys
        if one.get(key) != other.get(key)
    ]


def _compare_layer(where: str, one: Path, other: Path) -> list[Difference]:
    left, right = _entries(one), _entries(other)
    found = []
    for path in sorted(left.keys() | right.keys()):
        if path not in right or path not in left:
            found.append(Difference(where=where, path=path, message="only in one of them"))
        elif left[path] != right[path]:
            names = [key for key in left[path] if left[path][key] != right[path][key]]
            found.append(Difference(where=where, path=path, message=", ".join(names)))
    if not found:
        found.append(
            Difference(where=where, path="", message="same files, other order or compression")
        )
    return found


def _entries(path: Path) -> dict[str, dict[str, object]]:
    with tarfile.open(path) as archive:
        return {member.name: _entry(archive, member) for member in archive}


def _entry(archive: tarfile.TarFile, member: tarfile.TarInfo) -> dict[str, object]:
    file = archive.extractfile(member) if member.isreg() else None
    return {
        "type": member.type,
        "mode": member.mode,
        "owner": (member.uid, member.gid),
        "time": member.mtime,
        "link": member.linkname,
        "attributes": dict(member.pax_headers),
        "size": member.size,
        "content": hashlib.file_digest(file, "sha256").hexdigest() if file else "",  # type: ignore[arg-type]  # IO has readinto
    }
