"""The shape of immutable-base.toml; unknown keys are errors."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints, field_validator, model_validator

from immutable_base.model.document import Frozen
from immutable_base.model.reference import REPOSITORY, TAG

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{40}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://")]


class Stream(Frozen):
    """A distribution and release to build on."""

    base: str
    """Reference of the base image, with its moving tag."""
    release: Annotated[str, StringConstraints(pattern=r"^[0-9]+$")]
    """`{release}` in repository URLs."""
    repositories: tuple[Name, ...]
    """Repositories that every variant of the stream may use."""


class Repository(Frozen):
    """A repository of RPM packages."""

    url: Url
    """Folder that holds `repodata/`; `{release}` is the stream's."""
    key: Name
    """The key that packages must be signed with."""
    metadata_key: Name | None = None
    """The key that repomd.xml must be signed with; leave out where upstream does not sign it."""
    release: str | None = None
    """`{release}` in the URL, where it is not the stream's."""


class Key(Frozen):
    """An OpenPGP key, pinned by its fingerprint."""

    url: str
    """Where to fetch it: https://..., file:///..., or a path beside this file."""
    fingerprint: Fingerprint
    """Of the primary key: 40 hexadecimal digits, checked by another way than the download."""


class Module(Frozen):
    """A kernel module that is not in the kernel's tree."""

    source_package: Name
    """The DKMS package."""
    kmod_package: Name
    """What our own package with the compiled modules is called."""
    provides: Name
    """The name that userspace requires, e.g. `zfs-kmod`."""
    dkms_name: Name
    """What DKMS calls the module, as in `dkms status`."""
    branch: str
    """Version prefix to stay on, e.g. `2.3`; the newest of it is taken."""
    repositories: tuple[Name, ...]
    """Where `source_package` and its userspace come from."""
    ko: tuple[str, ...]
    """Modules that the build must produce, each exactly once."""
    maximum: Literal["meta", "none"]
    """`meta`: Linux-Maximum of the package's META file, as OpenZFS ships; `none`: ledger only."""
    toolchain: tuple[str, ...]
    """Packages that the builder needs beyond what `source_package` requires."""


class Layer(Frozen):
    """A folder under layers/ and what it installs."""

    packages: tuple[str, ...]
    """What the layer installs; dependencies follow. With `module`: its userspace first."""
    module: Name | None = None
    """The module whose compiled package the layer installs."""
    repositories: tuple[Name, ...] = ()
    """Repositories beyond the stream's."""


class Variant(Frozen):
    """An image that is published."""

    stream: Name
    """Distribution and release."""
    layers: tuple[Name, ...]
    """From the base image upwards."""
    description: str
    """`org.opencontainers.image.description`."""


class KernelPolicy(Frozen):
    """Which kernels a variant may move to when the base image's own cannot be used."""

    allow_up: bool = True
    """Whether a variant may get a newer kernel than its base image has."""
    allow_down: bool = True
    """Whether it may get an older one."""
    packages: tuple[str, ...]
    """The set that must be complete at one EVR."""
    optional_packages: tuple[str, ...]
    """Installed only if the base image has them."""
    devel_package: str
    """What a module is compiled against."""


class Registry(Frozen):
    """Where images are published."""

    destination: Annotated[str, Field(pattern=f"^{REPOSITORY.pattern}$")]
    """`host[:port]/path`; an image is pushed to `<destination>/<variant>`."""
    ca_bundle: str = ""
    """PEM file of a private CA, when the registry has one; empty: the system's."""


class Signing(Frozen):
    """Who signs, and how anybody checks it."""

    certificate_identity: str
    """The pipeline: subject of the certificate of every signature."""
    certificate_oidc_issuer: Url
    """Who vouches for the pipeline's identity."""
    fulcio_url: Url
    """Issues the certificates."""
    rekor_url: Url
    """The transparency log."""
    fulcio_root: str = ""
    """PEM file; empty: the public Sigstore instance's, by TUF."""
    rekor_key: str = ""
    """PEM file; empty: likewise."""
    ct_log_key: str = ""
    """PEM file; empty: likewise. A private Fulcio without a CT log gives no SCT to check."""


class Publish(Frozen):
    """Which tags move when an image is published."""

    tags: Annotated[tuple[str, ...], Field(min_length=1)]
    """`{date}`: day of the newest input, `{kernel}`: kernel release."""

    @field_validator("tags")
    @classmethod
    def _known_fields(cls, tags: tuple[str, ...]) -> tuple[str, ...]:
        for tag in tags:
            try:
                filled = tag.format(date="20261124", kernel="6.12.0")
            except (KeyError, IndexError, ValueError) as error:
                raise ValueError(
                    f"'{tag}': only {{date}} and {{kernel}} can stand in a tag"
                ) from error
            if TAG.fullmatch(filled) is None:
                raise ValueError(
                    f"'{tag}' cannot be a tag: letters, digits, and ._- after the first"
                )
        return tags


class Settings(Frozen):
    """The whole file."""

    schema_version: Literal[1]
    """Of this file's form."""
    title: str
    """What the whole is called."""
    source: Url
    """`org.opencontainers.image.source`."""
    vendor: str
    """`org.opencontainers.image.vendor`."""
    licenses: str
    """`org.opencontainers.image.licenses`: an SPDX expression."""
    streams: dict[Name, Stream]
    """Distributions to build on."""
    repositories: dict[Name, Repository]
    """Where packages come from."""
    keys: dict[Name, Key]
    """Who signs them."""
    modules: dict[Name, Module]
    """Kernel modules that are compiled ahead."""
    layers: dict[Name, Layer]
    """What images are stacked from."""
    variants: Annotated[dict[Name, Variant], Field(min_length=1)]
    """The images that are published."""
    kernel: KernelPolicy
    """Which kernels they may get."""
    registry: Registry
    """Where they go."""
    signing: Signing
    """Who signs them."""
    publish: Publish
    """Under which tags."""
    minimum_free_gib: Annotated[int, Field(ge=0)] = 20
    """Free space that a night needs where it works."""

    @model_validator(mode="after")
    def _references_exist(self) -> Settings:
        """Refuse a name that nothing defines, with its key path."""
        for path, name, known in self._references():
            if name not in known:
                raise ValueError(f"{path}: '{name}' is not defined|{name}|{' '.join(known)}")
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
