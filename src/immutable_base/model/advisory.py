"""Security advisories of an instance's repositories, as far as they concern its image."""

from __future__ import annotations

from immutable_base.model.document import Frozen, Text


class AdvisedPackage(Frozen):
    """A package of the published image that an advisory names in a newer version."""

    name: Text
    arch: str
    installed: Text
    """`[epoch:]version-release` in the published image."""
    fixed: Text
    """`[epoch:]version-release` that the advisory names; it, or a newer one, is offered."""
    in_base: bool
    """Whether the base image has it in the version of the published image, so that to build again
    brings no other unless the Containerfile upgrades it."""


class OpenAdvisory(Frozen):
    """A security advisory whose update is offered and not in the published image."""

    id: Text
    severity: str
    """As its distribution words it, e.g. `Important`; empty if it has none."""
    cves: tuple[str, ...]
    repository: Text
    packages: tuple[AdvisedPackage, ...]


class FixedAdvisory(Frozen):
    """A security advisory that was open in the published image and is not in the new one."""

    id: Text
    severity: str
    cves: tuple[str, ...]
    packages: tuple[str, ...]
    """Names of those that moved up."""
