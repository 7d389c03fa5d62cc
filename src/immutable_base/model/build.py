"""modules/<step>/build.json, build/<variant>.json, oci/<variant>.json: what was built."""

from __future__ import annotations

from immutable_base.model.document import Frozen, StageDocument


class ModuleFile(Frozen):
    """A compiled module."""

    name: str
    sha256: str
    """Of the stripped, uncompressed file: equal in two builds of the same source."""


class ModuleBuild(StageDocument):
    """The document modules/<step>/build.json: a kmod package, in the same folder."""

    id: str
    """Of the step: stream, module and kernel."""
    name: str
    version: str
    kernel: str
    """What `uname -r` prints on it."""
    package: str
    """File name."""
    sha256: str
    """Of the package."""
    files: tuple[ModuleFile, ...]
    buildah: str
    """Version of the program that built it."""
    seconds: float
    processor_seconds: float
    """User and system time of `dkms build` alone."""


class LayerRecord(Frozen):
    """A layer in local storage."""

    id: str
    """Of the step."""
    image_id: str
    variants: tuple[str, ...]
    """Those that share it."""
    seconds: float


class ImageBuild(StageDocument):
    """The document build/<variant>.json: a finished image."""

    variant: str
    image_id: str
    """SHA-256 of the image's configuration: equal in two builds of the same plan, and the same in
    every storage, layout and registry that holds the image."""
    layers: tuple[LayerRecord, ...]
    """From the base image upwards."""
    buildah: str
    """Version of the program that built it."""
    seconds: float


class ImageLayout(StageDocument):
    """The document oci/<variant>.json: the OCI layout beside it, as a registry will have it."""

    variant: str
    digest: str
    """`sha256:...` of the manifest."""
    size: int
    """Bytes of layers and configuration."""
