"""An instance's image on its way from the job that built it to those that read and publish it."""

from __future__ import annotations

from immutable_base.build import candidate
from immutable_base.image.local import fetch_layout, is_local, read_layout
from immutable_base.instance.context import InstanceContext
from immutable_base.model.instance import InstanceBuild


def leave_candidate(at: InstanceContext, digest: str) -> str:
    """Push the image that was built, and return where it is, by its digest.

    Raises RemoteError if the registry does not take it.
    """
    pinned = f"{at.repository}/candidates@{digest}"
    return candidate.leave_candidate(
        at.run, at.documents.layout, pinned, at.tls.environment, now=at.clock()
    )


def require_layout(at: InstanceContext, built: InstanceBuild) -> None:
    """Fetch the layout of the image that was built, unless it is here, by the digest that it had.

    Raises as `image.local.fetch_layout`.
    """
    fetch_layout(
        at.run,
        at.documents.layout,
        at.tls.environment,
        candidate=built.candidate,
        digest=built.digest,
    )


def require_local(at: InstanceContext, built: InstanceBuild) -> None:
    """Read the image that was built into our storage, unless it is there already."""
    if not is_local(at.storage, built.image_id):
        require_layout(at, built)
        read_layout(at.storage, at.documents.layout, digest=built.digest, image_id=built.image_id)
