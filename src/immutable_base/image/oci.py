"""An image in an OCI layout: its manifest, its configuration, and whether all of it is there.

Source: OCI Image Layout Specification 1.1. Every blob is named by its digest, so a layout that was
changed on its way is found out by reading it once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from immutable_base.errors import CheckError, VerificationError, foreign_data
from immutable_base.workspace import file_digest


def blob(folder: Path, digest: str) -> Path:
    """Return where a blob of a layout is."""
    algorithm, _, hexadecimal = digest.partition(":")
    return folder / "blobs" / algorithm / hexadecimal


def read_json(folder: Path, digest: str) -> dict[str, Any]:
    """Return a JSON blob of an OCI layout: a manifest or a configuration."""
    document: dict[str, Any] = json.loads(blob(folder, digest).read_text())
    return document


def only_manifest(folder: Path) -> str:
    """Return the digest of the one manifest of a layout.

    Raises VerificationError if it has none or several, or is no layout.
    """
    try:
        index = json.loads((folder / "index.json").read_text())
    except FileNotFoundError as error:
        raise VerificationError(
            f"{folder} is not an OCI layout: it has no index.json",
            hint="`immutable-base build --variant` makes it",
        ) from error
    except (OSError, ValueError, RecursionError) as error:
        raise VerificationError(
            f"{folder}/index.json cannot be read as JSON", details=str(error)
        ) from error
    with foreign_data(f"{folder}/index.json", VerificationError):
        found = [str(manifest["digest"]) for manifest in index["manifests"]]
    if len(found) != 1:
        raise VerificationError(f"{folder} holds {len(found)} images, not one")
    return found[0]


def require_manifest(folder: Path, digest: str) -> None:
    """Require that a layout holds exactly one image, this one.

    Raises CheckError if it is another one, VerificationError as `only_manifest`.
    """
    found = only_manifest(folder)
    if found != digest:
        raise CheckError(f"{folder} holds {found}, not {digest}", hint="build the image again")


def require_image(folder: Path, *, digest: str, image_id: str) -> int:
    """Require that a layout holds this image, and return the bytes of layers and configuration.

    `digest` is the manifest's (`sha256:...`), `image_id` the SHA-256 of the configuration. The
    layers are not read. Raises CheckError if it is another image, VerificationError if a document
    of the layout is missing or changed.
    """
    require_manifest(folder, digest)
    config, *layers = _parts(folder, digest)
    if config.digest != f"sha256:{image_id}":
        raise CheckError(
            f"{folder} holds the image {config.digest}, not sha256:{image_id}, which was built",
            hint="build the image again",
        )
    _require_blob(folder, config.digest)
    return sum(part.size for part in (config, *layers))


def require_whole(folder: Path, *, digest: str, image_id: str) -> None:
    """Require that a layout holds this image with all of its layers, every byte of them.

    Raises as `require_image`, and VerificationError naming a layer that is missing or changed.
    """
    require_image(folder, digest=digest, image_id=image_id)
    for part in _parts(folder, digest):
        _require_blob(folder, part.digest)


@dataclass(frozen=True, slots=True)
class _Part:
    digest: str
    size: int


def _parts(folder: Path, digest: str) -> list[_Part]:
    """Return the configuration and the layers that a manifest names."""
    _require_blob(folder, digest)
    with foreign_data(f"the manifest of {folder}", VerificationError):
        manifest = read_json(folder, digest)
        named = [manifest["config"], *manifest["layers"]]
        return [_Part(str(part["digest"]), int(part["size"])) for part in named]


def _require_blob(folder: Path, digest: str) -> None:
    path = blob(folder, digest)
    if not path.is_file():
        raise VerificationError(
            f"{folder} lacks the blob {digest}", hint="copy the whole folder, or build it again"
        )
    found = f"sha256:{file_digest(path)}"
    if found != digest:
        raise VerificationError(
            f"the blob {digest} of {folder} was changed: it is {found}",
            hint="copy the folder again, or build it again",
        )
