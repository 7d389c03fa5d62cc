"""modules/<step>/build.json, build/<variant>.json, oci/<variant>.json: what was built."""

from __future__ import annotations

from immutable_base.model.document import (
    Count,
    Digest,
    FileName,
    Frozen,
    Sha256,
    StageDocument,
    Text,
)


class ModuleFile(Frozen):
    """A compiled module."""

    name: Text
    sha256: Sha256
    """Of the stripped, uncompressed file: equal in two builds of the same source."""


class ModuleBuild(StageDocument):
    """The document modules/<step>/build.json: a kmod package, in the same folder."""

    id: Text
    """Of the step: stream, module and kernel."""
    name: Text
    version: Text
    kernel: Text
    """What `uname -r` prints on it."""
    package: FileName
    """File name."""
    sha256: Sha256
    """Of the package."""
    files: tuple[ModuleFile, ...]
    buildah: str
    """Version of the program that built it."""
    seconds: float
    processor_seconds: float
    """User and system time of `dkms build` alone."""


class LayerRecord(Frozen):
    """A layer in local storage."""

    id: Text
    """Of the step."""
    image_id: Sha256
    variants: tuple[str, ...]
    """Those that share it."""
    made_of: Sha256
    """Of the files that go into it beside packages: its own folder, scripts, what hosts run."""
    seconds: float


class ImageBuild(StageDocument):
    """The document build/<variant>.json: a finished image."""

    variant: Text
    image_id: Sha256
    """SHA-256 of the image's configuration: equal in two builds of the same plan, and the same in
    every storage, layout and registry that holds the image."""
    layers: tuple[LayerRecord, ...]
    """From the base image upwards."""
    made_of: Sha256
    """Of all that the plan does not say: `layers`, labels, whose images its hosts take. With
    another one the same plan makes another image."""
    buildah: str
    """Version of the program that built it."""
    seconds: float


class ImageLayout(StageDocument):
    """The document oci/<variant>.json: the OCI layout beside it, as a registry will have it."""

    variant: Text
    digest: Digest
    """`sha256:...` of the manifest."""
    size: Count
    """Bytes of layers and configuration."""
    candidate: Text | None = None
    """`repository@sha256:...` from which a machine without the layout fetches it; null: nowhere."""
