"""build.json: what was built, from what, and how long it took."""

from __future__ import annotations

from typing import Literal

from immutable_base.model.document import Frozen


class ModuleFile(Frozen):
    """A compiled module."""

    name: str
    sha256: str
    """Of the stripped, uncompressed file: equal in two builds of the same source."""


class ModuleRecord(Frozen):
    """A kmod package that was built in this run."""

    id: str
    name: str
    version: str
    kernel: str
    package: str
    """File name."""
    sha256: str
    """Of the package."""
    files: tuple[ModuleFile, ...]
    seconds: float
    processor_seconds: float
    """User and system time of `dkms build` alone."""


class ImageRecord(Frozen):
    """A layer or a finished image in local storage."""

    id: str
    """Of the node."""
    tag: str
    image_id: str
    """Digest of the image's configuration: equal in two builds of the same plan."""
    variants: tuple[str, ...]
    seconds: float


class BuildRecord(Frozen):
    """The document build.json."""

    schema_version: Literal[1] = 1
    buildah: str
    modules: tuple[ModuleRecord, ...]
    layers: tuple[ImageRecord, ...]
    images: tuple[ImageRecord, ...]
