"""plan.json: what will be built, on which kernel, from which packages, and why."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from immutable_base.model.checksum import Checksum
from immutable_base.model.document import Count, Digest, Frozen, Sha256, Text
from immutable_base.model.evr import Evr, Nevra
from immutable_base.model.module_signer import ModuleSigner
from immutable_base.model.reference import Reference

LOCAL = "local"
"""Repository id of the kmod packages that our own builder makes."""
KERNEL_LAYER = "kernel"
"""The layer that replaces the base image's kernel; before the first layer with a module."""


OWN_KERNEL_IS = "the image's own kernel is "
"""Begins what is said against the base image's kernel for a reason that others may share."""
NOT_NEWEST = "not the newest offered, "
"""Begins a reason of a variant whose kernel is not the newest: that one's EVR and reason follow."""
RELEASED_BY = "released by: "
"""Begins a reason of a variant that is held: what would release it."""


class Verdict(StrEnum):
    """What is to become of a variant."""

    BUILD = "build"
    HOLD = "hold"
    """Nothing went wrong, but something outside the run has to change first: no kernel fits, a key
    is not pinned, the base image is newer than the repositories, or its support has ended. The
    published image stays; `reasons` names what would release it."""
    FAIL = "fail"


class KernelAction(StrEnum):
    """Where the chosen kernel lies, seen from the base image's own."""

    KEEP = "keep"
    UP = "up"
    DOWN = "down"


class Package(Frozen):
    """One exact package, as its repository's verified metadata describes it."""

    name: str
    epoch: int
    version: str
    release: str
    arch: str
    repository: str
    """Repository id in immutable-base.toml; `local` for the kmod packages that we build."""
    url: str
    """Where the file is; empty for `local`."""
    checksum: Checksum | None
    """What the file must be; null for `local`."""
    size: Count
    """Bytes of the file."""
    build_time: int
    """Seconds since 1970, from the package."""

    @property
    def required(self) -> Checksum:
        """What the file must be. Raises ValueError for `local`: nobody has described its file."""
        if self.checksum is None:
            raise ValueError(f"no checksum of {self.nevra} is known before it is built")
        return self.checksum

    @property
    def exact_name(self) -> Nevra:
        """Name, version and architecture as one value."""
        return Nevra(self.name, Evr(self.epoch, self.version, self.release), self.arch)

    @property
    def evr(self) -> str:
        """`[epoch:]version-release`; epoch 0 is left out, as rpm prints it."""
        return str(self.exact_name.evr)

    @property
    def nevra(self) -> str:
        """Exact name, as dnf takes it on its command line: `name-[epoch:]version-release.arch`."""
        return str(self.exact_name)

    @property
    def file_name(self) -> str:
        """The file's name in our local repository."""
        return self.exact_name.file_name


class BasePlan(Frozen):
    """The base image, resolved once."""

    reference: str
    """As the configuration has it, with its moving tag."""
    digest: Digest | Literal[""]
    """`sha256:...` of the manifest for this architecture; every later step uses only this. Empty
    when it could not be resolved (verdict `fail`), or was not asked for (a key is not pinned)."""
    created: int
    """Seconds since 1970, from the image's configuration; 0 when the image does not say."""
    compose: str = ""
    """The compose that it was made from, by its label `redhat.compose-id`; empty without one."""
    support_end: str = ""
    """First day without support (`YYYY-MM-DD`), by its os-release; empty when that does not say."""

    @property
    def pinned(self) -> str:
        """`repository@sha256:...`."""
        return Reference.parse(self.reference).pinned(self.digest)


class RejectedKernel(Frozen):
    """A kernel that is not used, and why."""

    evr: str
    reason: str


class KernelPlan(Frozen):
    """The pin: which kernel the variant gets."""

    image: str
    """`uname -r` of the base image's kernel, from its rpmdb; empty when it could not be read."""
    image_evr: str
    chosen: str | None
    """`uname -r` of the chosen kernel; null when the variant is held."""
    chosen_evr: str | None
    action: KernelAction | None
    source: str | None
    """`image` when nothing is installed, else `repository`."""
    ceiling: str | None
    """The smallest maximum of the variant's modules (major.minor), null when none has one."""
    rejected: tuple[RejectedKernel, ...]


class ModulePlan(Frozen):
    """One out-of-tree module, compiled for one kernel."""

    name: str
    """Key under `modules` in immutable-base.toml."""
    version: str
    maximum: str | None
    """Newest kernel (major.minor) that the module itself declares; null if it declares none."""
    source: Package
    """The DKMS package with the module's source."""
    kmod: Package
    """The package that our builder makes: name, EVR and arch are promised here."""
    builder: tuple[Package, ...]
    """Everything the builder installs on top of the base image, `source` included."""
    builder_request: tuple[str, ...]
    """What was asked for: exact NEVRAs for dnf, dependencies follow."""
    builder_erase: tuple[str, ...] = ()
    """Names of the base image's kernel packages, where `builder` brings another kernel."""
    source_date_epoch: int
    """Newest of: the base image, and the build times of `builder`. Seconds since 1970."""


class LayerPlan(Frozen):
    """One layer on top of the one before: what its Containerfile installs."""

    name: str
    """A folder under `layers/`: base, kernel, zfs, nvidia."""
    request: tuple[str, ...]
    """What was asked for: exact NEVRAs for dnf, dependencies follow."""
    install: tuple[Package, ...]
    """The whole transaction, solved, sorted by name; upgrades included."""
    erase: tuple[str, ...] = ()
    """Names of installed packages to remove first; the base image's kernel, in layer `kernel`."""
    obsoleted: tuple[str, ...] = ()
    """Names of installed packages that go because one of `install` obsoletes them."""
    source_date_epoch: int
    """Newest of: the layer below, and the build times of `install`. Seconds since 1970."""


class PlannedPackage(Frozen):
    """A package of the variant as a person reads it."""

    name: str
    evr: str
    arch: str
    repository: str
    layer: str


class VariantPlan(Frozen):
    """What is planned for one variant."""

    name: Text
    stream: str
    verdict: Verdict
    base: BasePlan
    kernel: KernelPlan
    modules: tuple[ModulePlan, ...]
    module_signer: ModuleSigner | None = None
    """Who signs `modules`; null: nobody, or there are none."""
    hosts_accept: str = ""
    """Whose images the hosts of this one take next, as a label says it; empty: they demand nothing,
    or what a fleet's machine has admitted."""
    layers: tuple[LayerPlan, ...]
    packages: tuple[PlannedPackage, ...]
    reasons: tuple[str, ...]
    warnings: tuple[str, ...] = ()
    """What is no obstacle yet, but somebody should know."""
    exit_code: Count = 0
    """The error's, when the verdict is `fail` (docs/reference/exit-codes.md); else 0."""

    @property
    def kernel_release(self) -> str:
        """The chosen kernel, as `uname -r` prints it. Raises ValueError if none was chosen."""
        if self.kernel.chosen is None:
            raise ValueError(f"the plan says 'build' for {self.name}, but names no kernel")
        return self.kernel.chosen

    @property
    def signed_by(self) -> str:
        """What a person reads of the modules' signatures; empty without modules."""
        if not self.modules:
            return ""
        signer = self.module_signer
        return f"signed by {signer.name}, {signer.sha256[:16]}" if signer else "unsigned"

    def module_id(self, module: ModulePlan) -> str:
        """Return the id of the step that compiles a module for this variant's kernel."""
        return f"module:{self.stream}:{module.name}-{module.version}:{self.kernel_release}"

    @property
    def source_date_epoch(self) -> int:
        """Time of the newest input, in seconds since 1970."""
        return max([self.base.created, *(layer.source_date_epoch for layer in self.layers)])


class RepositoryPlan(Frozen):
    """A repository as it was when the plan was made."""

    id: str
    url: str
    """Of the folder that it was read from: the archive's, where `archived`."""
    archived: bool = False
    """Whether it has left its own URL, and was read from the archive that the configuration has."""
    revision: str
    timestamp: int | None = None
    """When the metadata was made, by its own statement, in seconds since 1970; null where it states
    none."""
    repomd_sha256: Sha256
    metadata_signed_by: str | None
    """Fingerprint of the key that signed repomd.xml; null where upstream does not sign it."""
    packages: Count


class KeyPlan(Frozen):
    """A key that packages must be signed with, as it was judged when the plan was made."""

    name: str
    """Key under `keys` in immutable-base.toml."""
    fingerprint: str
    """Of the primary key."""
    file_sha256: str | None
    """SHA-256 of the key file where the configuration pins it; else null."""
    armored: str
    """The key itself, alone: builds verify packages with these bytes, and fetch no key."""


class SkippedRepository(Frozen):
    """An optional repository that a stream does without."""

    id: str
    stream: str
    reason: str


class Plan(Frozen):
    """The document plan.json; the same inputs give the same bytes."""

    schema_version: Literal[1] = 1
    repositories: tuple[RepositoryPlan, ...]
    keys: tuple[KeyPlan, ...]
    """Keys of the packages of `repositories`, each once, sorted by name."""
    skipped: tuple[SkippedRepository, ...] = ()
    variants: tuple[VariantPlan, ...]

    @property
    def exit_code(self) -> int:
        """The worst variant's; a held variant counts as 0."""
        return max((variant.exit_code for variant in self.variants), default=0)
