"""ci-image/build.json: the image of the pipeline's jobs, as it was built."""

from __future__ import annotations

from immutable_base.model.document import Count, Digest, Sha256, StageDocument, Text


class CiImageBuild(StageDocument):
    """The document build.json: which image was made of which commit, on which base."""

    repository: Text
    """Where it is to be published."""
    image_id: Sha256
    digest: Digest
    size: Count
    """Bytes of layers and configuration."""
    candidate: Text | None = None
    """`repository@sha256:...` from which a machine without the layout fetches it; null: nowhere."""
    base: Text
    """`repository@sha256:...` of the image that it is built on."""
    commit: Text
    version: Text
    """Of this package, which the image must have."""
    epoch: Count
    """When the newer of base and commit was made, in seconds since 1970."""
    buildah: str
    """Version of the program that built it."""
    seconds: float
