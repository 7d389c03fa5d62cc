"""Which image an SBOM is about: its own component says so, and nothing else is believed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from immutable_base.errors import VerificationError
from immutable_base.verification.skipped import Skipped, skipping
from immutable_base.verification.strict import parse_json

BASE = "immutable-base:base"
"""Property of the document's component: the base image, pinned."""
BASE_SIGNED_AT = "immutable-base:base-signed-at"
"""Property of an instance's component: when its base was signed, in seconds since 1970."""
KERNEL_RELEASE = "immutable-base:kernel-release"
"""Property of the document's component, and of those of kernel modules: what `uname -r` prints."""
IMAGE_ID = "immutable-base:image-id"
"""Property of the document's component: id of the image in local storage."""


def require_subject(document: Path, *, repository: str, image_id: str) -> None:
    """Raise VerificationError unless an SBOM is about this image of this repository."""
    try:
        with skipping("it"):
            found = _subject(parse_json(document.read_bytes(), "it"))
    except Skipped as one:
        raise VerificationError(
            f"{document} does not say which image it is about", details=one.reason, hint=_hint()
        ) from one
    if found != (repository, [image_id]):
        name, ids = found
        raise VerificationError(
            f"{document} is about another image",
            details=f"it is about {name}, image {' and '.join(ids) or 'unknown'}\n"
            f"not about {repository}, image {image_id}"[:500],
            hint=_hint(),
        )


def _subject(document: dict[str, Any]) -> tuple[str, list[str]]:
    component = document["metadata"]["component"]
    properties = component["properties"]
    return component["name"], [str(p["value"]) for p in properties if p["name"] == IMAGE_ID]


def _hint() -> str:
    return "was it changed? `immutable-base sbom` makes it again"
