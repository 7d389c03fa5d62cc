"""The shape of immutable-base-instance.toml: all has a default, unknown keys are errors."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from immutable_base.config.load import validate
from immutable_base.config.schema import Publish
from immutable_base.config.signing import Signing
from immutable_base.config.toml import read_toml
from immutable_base.model.document import Frozen, Text

FILE_NAME = "immutable-base-instance.toml"


class InstanceBase(Frozen):
    """The image that the instance is built on, and who must have signed it."""

    reference: str = ""
    """Reference of the base image, or the name of a variant; empty: the Containerfile's last
    `FROM`. A `FROM` with an `ARG` that has no default gets this one."""
    maximum_age_days: Annotated[int, Field(ge=1)] | None = None
    """Age of the base's signature beyond which nothing is built on it: its nightly runs are on
    hold, or found nothing new, for such a night does not sign. Not set: any age."""
    signing: Signing | None = None
    """Who must have signed the base, and all the trust in that instance of Sigstore, with the keys
    of `[signing]`; not set: as the product's configuration says of its variants."""


class InstanceRegistry(Frozen):
    """Where the instance is published."""

    destination: str = ""
    """`host[:port]/path` without a tag; empty: `$CI_REGISTRY_IMAGE`."""
    ca_bundle: str = ""
    """PEM file of the registry's private CA, beside the product's and `$CI_SERVER_TLS_CA_FILE`."""


class Rebuild(Frozen):
    """When a schedule builds although base and files are what they were."""

    maximum_age_days: Annotated[int, Field(ge=1)] = 7
    """Age of the published image's signature beyond which it is built again, and signed anew if
    that gives the same image."""
    security_updates: Literal["added", "all", "none"] = "added"
    """Packages whose update lets a schedule build if it has a security advisory. `added`: what the
    image has otherwise than its base; `all`: the base's too, for a Containerfile that upgrades
    them; `none`: the repositories are not asked."""
    accepted_advisories: tuple[Text, ...] = ()
    """Advisories that are no reason to build, e.g. because the Containerfile holds a package at its
    version; they are noted."""


class InstancePublish(Publish):
    """The tags that move when the instance is published."""

    tags: Annotated[tuple[str, ...], Field(min_length=1)] = (
        "latest", "{date}", "{date}-{digest}",
    )  # fmt: skip
    """Tags to move; `{date}` is the day of the newer of base image and commit, `{kernel}` the
    kernel release, `{digest}` the first 12 digits of the image's digest."""


class InstanceSettings(Frozen):
    """How one instance is built, checked, signed and published."""

    schema_version: Literal[1]
    """Version of this file's format."""
    base: InstanceBase = Field(default_factory=InstanceBase)
    """Base image, and who must have signed it."""
    registry: InstanceRegistry = Field(default_factory=InstanceRegistry)
    """Registry that the instance is pushed to."""
    signing: Signing | None = None
    """Who signs the instance; not set: the pipeline of this project's default branch, protected, at
    the Sigstore instance of the product's configuration."""
    rebuild: Rebuild = Field(default_factory=Rebuild)
    """What lets a schedule build."""
    publish: InstancePublish = Field(default_factory=InstancePublish)
    """Tags that the published instance gets."""


def load_instance_settings(folder: Path) -> InstanceSettings:
    """Read immutable-base-instance.toml of a repository; without one everything has its default.

    Raises ConfigurationError: it cannot be read, is not TOML, or does not fit `InstanceSettings`.
    """
    path = folder / FILE_NAME
    if not path.exists() and not path.is_symlink():
        return InstanceSettings(schema_version=1)
    return validate(InstanceSettings, read_toml(path), path)
