"""plan --diff --format json: what a plan changes, compared with an earlier one."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from immutable_base.model.document import Frozen, Sha256, Text
from immutable_base.model.plan import Verdict


class ChangeKind(StrEnum):
    """What became of one thing between two plans."""

    NEW = "new"
    GONE = "gone"
    UP = "up"
    DOWN = "down"
    REBUILT = "rebuilt"
    """The same version, but another file."""


class VariantChange(StrEnum):
    """What became of a variant between two plans."""

    NEW = "new"
    GONE = "gone"
    CHANGED = "changed"
    SAME = "same"
    """Verdict, base, kernel, modules and their signer, packages and builders are what they were."""


class VersionChange(Frozen):
    """One kernel, module or package that is not what it was."""

    name: str
    arch: str
    change: ChangeKind
    before: str | None
    """`[epoch:]version-release`; null for what is new."""
    after: str | None
    """`[epoch:]version-release`; null for what is gone."""


class SignerCertificate(Frozen):
    """Whose signature modules have, by the certificate that hosts enrol."""

    name: Text
    """As `modinfo -F signer` shows it."""
    sha256: Sha256
    """Of the certificate in DER: `openssl x509 -fingerprint -sha256`."""
    next_sha256: Sha256 | None
    """Of the one that hosts may enrol beforehand; null: none."""


class SignerChange(Frozen):
    """Modules are signed with another certificate than before, or another one is to follow."""

    before: SignerCertificate | None
    """Null: the modules were not signed."""
    after: SignerCertificate | None
    """Null: they are signed no longer."""


class VariantDiff(Frozen):
    """What changes for one variant."""

    name: str
    change: VariantChange
    verdict_before: Verdict | None
    """Null for a variant that is new."""
    verdict_after: Verdict | None
    """Null for a variant that is gone."""
    base_before: str | None
    """`sha256:...` of the base image; empty where it could not be resolved."""
    base_after: str | None
    kernel: VersionChange | None = None
    """Null when the kernel is the same. This and all below are empty unless both plans build the
    variant: of one that is not built nothing is known."""
    modules: tuple[VersionChange, ...] = ()
    """By the version of the source package."""
    module_signer: SignerChange | None = None
    """Null when the same certificate signs, or a plan has no modules for the variant."""
    packages: tuple[VersionChange, ...] = ()
    """What the layers install on top of the base image, sorted by name. `gone` may still be in the
    base image itself."""
    builders: tuple[VersionChange, ...] = ()
    """What the builders of modules install; none of it reaches a host."""
    reasons: tuple[str, ...] = ()
    """The later plan's, where the verdict is another than it was."""
    warnings: tuple[str, ...] = ()
    """Those of the later plan that the earlier one did not have."""


class PlanDiff(Frozen):
    """The document that `plan --diff --format json` prints.

    Variants are in the later plan's order, those that are gone last.
    """

    schema_version: Literal[1] = 1
    variants: tuple[VariantDiff, ...]
