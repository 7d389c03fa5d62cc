"""What is not the publisher's: unsigned manifests of its image, and keys of somebody else."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path

from immutable_base.process import run
from immutable_base.publish import as_host
from immutable_base.tools import cosign, skopeo
from immutable_base_lab.core import image_keys
from immutable_base_lab.core.paths import LabPaths


def push_twin(layout: Path, twin: Path, repository: str, environment: Mapping[str, str]) -> str:
    """Push another, unsigned manifest of a layout's image, one for each name of `twin`; return its name."""
    digest = as_host.write_twin(layout, twin)
    manifest = twin / "blobs" / digest.replace(":", "/")
    document = json.loads(manifest.read_text())
    document["annotations"]["words"] = twin.name
    raw = json.dumps(document).encode()
    digest = hashlib.sha256(raw).hexdigest()
    (manifest.parent / digest).write_bytes(raw)
    index = json.loads((twin / "index.json").read_text())
    index["manifests"][0].update(digest=f"sha256:{digest}", size=len(raw))
    (twin / "index.json").write_text(json.dumps(index))
    pinned = f"{repository}@sha256:{digest}"
    skopeo.push(run, twin, pinned, environment)
    return pinned


def stranger_key(state: Path, folder: Path) -> cosign.ImageKey:
    """Make a key that no host knows, in an empty folder; `state`: the lab's."""
    paths = LabPaths(root=folder)
    (folder / "tools").symlink_to(LabPaths(root=state).tools)
    image_keys.ensure_image_keys(paths)
    return cosign.ImageKey(
        reference=f"env://{image_keys.VARIABLE}",
        public="",
        environment=image_keys.environment(paths),
    )
