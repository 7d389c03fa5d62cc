"""An image in our own storage: built here, or read from the layout that another machine wrote."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from immutable_base.errors import CheckError
from immutable_base.image.oci import require_whole
from immutable_base.model.reference import Reference
from immutable_base.process import Runner
from immutable_base.tools import buildah, skopeo


def is_local(storage: buildah.Storage, image_id: str) -> bool:
    """Tell whether our storage has an image."""
    return image_id in {found.id for found in buildah.images(storage)}


def fetch_layout(
    run: Runner, folder: Path, env: Mapping[str, str], *, candidate: str | None, digest: str
) -> None:
    """Fetch an OCI layout by its digest from where it was left, unless it is here or was not left.

    `env` says which CAs to trust. What comes is not trusted: who uses it compares it with the
    document. Raises RemoteError if the registry does not give it.
    """
    if candidate is not None and not folder.exists():
        skopeo.fetch(run, Reference.parse(candidate).pinned(digest), folder, env)


def read_layout(storage: buildah.Storage, folder: Path, *, digest: str, image_id: str) -> None:
    """Read the image of an OCI layout into our storage, if it is whole and this one.

    Raises CheckError if it is another image, VerificationError if a part is missing or changed.
    """
    require_whole(folder, digest=digest, image_id=image_id)
    pulled = buildah.pull_layout(storage, folder)
    if pulled != image_id:
        raise CheckError(f"{folder} became the image {pulled}, not {image_id}, which was built")
