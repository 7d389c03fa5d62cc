"""The shape of immutable-base.toml; unknown keys are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from immutable_base.config.boot import BootSettings
from immutable_base.config.key import Key
from immutable_base.config.module_signing import ModuleSigning
from immutable_base.config.registry import Registry
from immutable_base.config.signing import Signing
from immutable_base.config.trust import TrustSettings
from immutable_base.config.types import (
    COMPOSE,
    BaseReference,
    Name,
    ReleaseNumber,
    RepositoryUrl,
    Switch,
    Url,
)
from immutable_base.model.document import Frozen
from immutable_base.model.reference import TAG, fill_tag

UNDEFINED = "undefined_name"
"""Type of the error for a name that nothing defines; its context has `name` and `known`."""


class Stream(Frozen):
    """A distribution and release to build on."""

    base: BaseReference
    """Reference of the base image, with its moving tag."""
    release: ReleaseNumber
    """Release number; stands for `{release}` in repository URLs."""
    repositories: tuple[Name, ...]
    """Repositories that every variant of the stream may use."""
    allow_unsupported: Switch = False
    """Whether images are built although the base image's own SUPPORT_END has passed."""


class Repository(Frozen):
    """A repository of RPM packages."""

    url: RepositoryUrl
    """URL of the folder that holds `repodata/`; `{release}` is the stream's, `{compose}` the base
    image's label `redhat.compose-id`."""
    archive: RepositoryUrl | None = None
    """URL to use when `url` answers 404: where a release is kept that has left the mirrors."""
    optional: Switch = False
    """Whether it is done without the repository when it is not there or cannot be reached. Of equal
    versions, one from a repository that is not optional is taken."""
    maximum_age_days: Annotated[int, Field(ge=1)] | None = None
    """Age of the metadata, by its own timestamps, beyond which it is refused; none: any."""
    key: Name
    """Key that packages must be signed with."""
    metadata_key: Name | None = None
    """Key that repomd.xml must be signed with; leave it out where upstream does not sign it."""
    release: str | None = None
    """Release number for `{release}` in the URL, where it differs from the stream's."""

    @model_validator(mode="after")
    def _compose_is_optional(self) -> Repository:
        """Refuse what no base image without the label could use, nor any after some weeks."""
        if COMPOSE in f"{self.url} {self.archive or ''}" and not self.optional:
            raise PydanticCustomError(
                "compose_optional",
                "a URL with {compose} needs `optional = true`: composes go after some weeks",
            )
        return self


class Module(Frozen):
    """An out-of-tree kernel module."""

    source_package: Name
    """DKMS package that holds the module's source."""
    kmod_package: Name
    """Name of our own package with the compiled modules."""
    provides: Name
    """Capability that userspace requires, e.g. `zfs-kmod`."""
    dkms_name: Name
    """Name of the module in DKMS, as in `dkms status`."""
    branch: str
    """Version prefix to stay on, e.g. `2.3`; its newest version is taken."""
    allow_rollback_to: str | None = None
    """Version that may be built although the last published image has a newer one."""
    repositories: tuple[Name, ...]
    """Repositories of `source_package` and its userspace."""
    ko: tuple[str, ...]
    """Module files (without `.ko`) that the build must produce, each exactly once."""
    maximum: Literal["meta", "none"]
    """Source of the newest supported kernel. `meta`: Linux-Maximum in the package's META file, as
    OpenZFS ships it; `none`: the compat ledger only."""
    toolchain: tuple[str, ...]
    """Packages that the builder needs beyond those that `source_package` requires."""


class Layer(Frozen):
    """A folder under layers/ and what it installs."""

    packages: tuple[str, ...]
    """Packages to install; dependencies follow. With `module`, its userspace comes first."""
    module: Name | None = None
    """Module whose compiled package the layer installs."""
    repositories: tuple[Name, ...] = ()
    """Repositories that the layer may use beyond the stream's."""


class Variant(Frozen):
    """An image that is built and published."""

    stream: Name
    """Stream that the variant is built on."""
    layers: tuple[Name, ...]
    """Layers on top of the base image, lowest first."""
    description: str
    """Label `org.opencontainers.image.description` of the image."""


class KernelSettings(Frozen):
    """Kernels that a variant may move to if its base image's own cannot be used."""

    allow_up: Switch = True
    """Whether a variant may get a newer kernel than its base image has."""
    allow_down: Switch = True
    """Whether a variant may get an older kernel than its base image has."""
    packages: tuple[str, ...]
    """Kernel packages that must all be available at one EVR."""
    optional_packages: tuple[str, ...]
    """Kernel packages that are installed only if the base image has them."""
    devel_package: str
    """Package that modules are compiled against."""


class Publish(Frozen):
    """The tags that move when an image is published."""

    tags: Annotated[tuple[str, ...], Field(min_length=1)]
    """Tags to move; `{date}` is the day of the newest input, `{kernel}` the kernel release,
    `{digest}` the first 12 digits of the image's digest. One with both `{date}` and `{digest}` is
    the image's own: it never moves on, so that the registry does not take the image for untagged
    once another night has moved the rest."""

    @field_validator("tags")
    @classmethod
    def _known_fields(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        for tag in tags:
            filled = fill_tag(tag, date="20261124", kernel="6.12.0", digest="0" * 64)
            if "{" in filled or "}" in filled:
                raise PydanticCustomError(
                    "tag_field",
                    "'{tag}': a tag may hold {date}, {kernel} and {digest} only",
                    {"tag": tag},
                )
            if TAG.fullmatch(filled) is None:
                raise PydanticCustomError(
                    "tag_text",
                    "'{tag}' cannot be a tag: letters, digits, and ._- after the first",
                    {"tag": tag},
                )
        return tags


class Settings(Frozen):
    """What is built, from what, and who signs it."""

    schema_version: Literal[1]
    """Version of this file's format."""
    source: Url
    """Label `org.opencontainers.image.source` of every image."""
    vendor: str
    """Label `org.opencontainers.image.vendor` of every image."""
    licenses: str
    """Label `org.opencontainers.image.licenses` of every image: an SPDX expression."""
    streams: dict[Name, Stream]
    """Distributions and releases to build on."""
    repositories: dict[Name, Repository]
    """RPM repositories that packages come from."""
    keys: dict[Name, Key]
    """OpenPGP keys that sign packages and repositories, each by its pin."""
    modules: dict[Name, Module]
    """Out-of-tree kernel modules that are compiled ahead."""
    layers: dict[Name, Layer]
    """Layers that images are stacked from."""
    variants: Annotated[dict[Name, Variant], Field(min_length=1)]
    """Images that are built and published."""
    kernel: KernelSettings
    """Kernels that a variant may get."""
    registry: Registry
    """Registry that images are pushed to."""
    signing: Signing
    """Identity that signs images, and the Sigstore instance that it uses."""
    publish: Publish
    """Tags that published images get."""
    boot: BootSettings = Field(default_factory=BootSettings)
    """How images are booted before they are published."""
    module_signing: ModuleSigning | None = None
    """Certificate of the key that signs modules, for hosts with Secure Boot; without this table
    modules are not signed."""
    minimum_free_gib: Annotated[int, Field(ge=0)] = 20
    """Free space that a run needs in its workspace, in GiB."""

    def authority(self, folder: Path) -> Path | None:
        """Return the configured private CA, None if there is none; `folder` is this file's."""
        name = self.registry.ca_bundle
        return (folder / name).resolve() if name else None

    def trust(self) -> TrustSettings:
        """Return the part that a verification needs."""
        return TrustSettings(
            signing=self.signing.table(),
            destination=self.registry.destination,
            ca_bundle=self.registry.ca_bundle,
            mirrors=self.registry.mirrors,
            variants=tuple(self.variants),
        )

    def repository_of(self, variant: str) -> str:
        """Return the repository that a variant is published to, without a tag."""
        return f"{self.registry.destination}/{variant}"

    @property
    def candidates(self) -> str:
        """The repository of images on their way from one machine to another."""
        return self.registry.candidates or f"{self.registry.destination}/candidates"

    @model_validator(mode="after")
    def _references_exist(self) -> Settings:
        """Refuse a name that nothing defines, with its key path."""
        for path, name, known in self._references():
            if name not in known:
                raise PydanticCustomError(
                    UNDEFINED,
                    "{path}: '{name}' is not defined",
                    {"path": path, "name": name, "known": tuple(known)},
                )
        return self

    def _references(self) -> list[tuple[str, str, dict[str, object]]]:
        found: list[tuple[str, str, dict[str, object]]] = []
        tables = {
            name: dict(getattr(self, name))
            for name in ("streams", "repositories", "keys", "modules", "layers")
        }
        for name, stream in self.streams.items():
            found += [
                (f"streams.{name}.repositories", r, tables["repositories"])
                for r in stream.repositories
            ]
        for name, repository in self.repositories.items():
            found.append((f"repositories.{name}.key", repository.key, tables["keys"]))
            if repository.metadata_key:
                found.append(
                    (f"repositories.{name}.metadata_key", repository.metadata_key, tables["keys"])
                )
        for name, module in self.modules.items():
            found += [
                (f"modules.{name}.repositories", r, tables["repositories"])
                for r in module.repositories
            ]
        for name, layer in self.layers.items():
            found += [
                (f"layers.{name}.repositories", r, tables["repositories"])
                for r in layer.repositories
            ]
            if layer.module:
                found.append((f"layers.{name}.module", layer.module, tables["modules"]))
        for name, variant in self.variants.items():
            found.append((f"variants.{name}.stream", variant.stream, tables["streams"]))
            found += [
                (f"variants.{name}.layers", layer, tables["layers"]) for layer in variant.layers
            ]
        return found

    def repositories_of(self, variant: Variant) -> tuple[str, ...]:
        """Return the ids of every repository that the variant may use, in configuration order."""
        wanted = set(self.streams[variant.stream].repositories)
        for name in variant.layers:
            layer = self.layers[name]
            wanted.update(layer.repositories)
            if layer.module:
                wanted.update(self.modules[layer.module].repositories)
        return tuple(name for name in self.repositories if name in wanted)
