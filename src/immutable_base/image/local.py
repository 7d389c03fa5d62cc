"""An image in our own storage: built here, or read from the layout that another machine wrote."""

from __future__ import annotations

from pathlib import Path

from immutable_base.errors import CheckError
from immutable_base.image.oci import require_whole
from immutable_base.tools import buildah


def is_local(storage: buildah.Storage, image_id: str) -> bool:
    """Tell whether our storage has an image."""
    return image_id in {found.id for found in buildah.images(storage)}


def read_layout(storage: buildah.Storage, folder: Path, *, digest: str, image_id: str) -> None:
    """Read the image of an OCI layout into our storage, if it is whole and this one.

    Raises CheckError if it is another image, VerificationError if a part is missing or changed.
    """
    require_whole(folder, digest=digest, image_id=image_id)
    pulled = buildah.pull_layout(storage, folder)
    if pulled != image_id:
        raise CheckError(f"{folder} became the image {pulled}, not {image_id}, which was built")
