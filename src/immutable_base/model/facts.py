"""inspect/<variant>.json: what was read from an image; nothing in it is from the plan."""

from __future__ import annotations

from typing import Literal

from pydantic import ConfigDict, Field

from immutable_base.model.document import Count, Frozen, Sha256, StageDocument, Text


class InstalledPackage(Frozen):
    """A package in the image's rpmdb."""

    name: str
    evr: str
    """`[epoch:]version-release`; epoch 0 is left out."""
    arch: str

    def __str__(self) -> str:
        """Return `name-evr.arch`."""
        return f"{self.name}-{self.evr}.{self.arch}"


class ProgramOutput(Frozen):
    """What a program of the image printed, and its exit status."""

    status: int
    text: str
    """Standard output, and standard error after it."""


class ModuleFact(Frozen):
    """A kernel module that is not in the kernel's own tree."""

    name: str
    path: str
    """Below the image's root."""
    owner: str
    """Package that owns the file; empty if none does."""
    version: str
    """`modinfo -F version`; empty if it has none."""
    vermagic: str
    signer: str = ""
    """`modinfo -F signer`; empty if it is not signed."""
    key_id: str = ""
    """`modinfo -F sig_key`: the serial number of the signer's certificate."""
    hash_algorithm: str = ""
    """`modinfo -F sig_hashalgo`."""
    load: ProgramOutput
    """`modprobe --show-depends`: what loading it would do."""
    listed: bool
    """Whether modules.dep names it."""


class InitramfsFact(Frozen):
    """The initramfs of a kernel."""

    path: str
    mode: int
    size: Count
    listing: ProgramOutput
    """`lsinitrd`: the names of the files in it."""


class UnitFact(Frozen):
    """A systemd unit that one of our preset files names."""

    name: str
    preset: Literal["enable", "disable"]
    """The verb in the preset file."""
    state: str
    """`systemctl is-enabled`; `absent` where the image has no such unit."""


class CardServiceFact(Frozen):
    """A service of NVIDIA's, which has nothing to do on a host without a card."""

    name: str
    state: str
    """`systemctl is-enabled`."""
    conditions: tuple[str, ...]
    """Its `ExecCondition=` lines, those of its drop-ins included."""


class Declared(Frozen):
    """What a line of tmpfiles.d makes; fields that it leaves open are `-`."""

    file: str
    """The file with the line, below the image's root."""
    kind: str
    """Type of the line, with its modifiers: `d`, `L+`."""
    mode: str
    user: str
    group: str
    target: str
    """Of a link."""


class VarFact(Frozen):
    """A folder or link that a package has below /var, which the image itself leaves empty."""

    path: str
    package: str
    kind: Literal["folder", "link"]
    mode: str
    """Four octal digits."""
    user: str
    group: str
    user_known: bool
    """Whether a host has the user: in a file of accounts or by sysusers.d."""
    group_known: bool
    target: str
    """Of a link; empty for a folder."""
    declared: Declared | None
    """The line of tmpfiles.d that makes it on a host; None: nobody does."""


class AccountFact(Frozen):
    """A user or group that is in /etc/passwd or /etc/group, or a user's place in a group."""

    kind: Literal["user", "group", "member"]
    name: str
    """Of a member: `user group`."""
    declared_in: str
    """The file of sysusers.d that makes it on a host, below the image's root; empty: none does."""


class HostPolicyFacts(Frozen):
    """What an image says about whose images its hosts take."""

    # A file is what it is, to its last line feed.
    model_config = ConfigDict(str_strip_whitespace=False)

    files: dict[str, str]
    """Text of each file that has a say in it, by its path below the image's root."""
    repository: str
    """The namespace that the image's skopeo was asked for."""
    skopeo: ProgramOutput | None
    """What it said, without network; None: no skopeo in this image."""
    admission: ProgramOutput | None
    """What the program that admits images says for `--help`; None: it is not in this image."""


class CommonFacts(Frozen):
    """What is asked of an image and of its base alike, so that checks can judge what we added."""

    packages: tuple[InstalledPackage, ...]
    """Sorted; without public keys."""
    kernel_packages: tuple[str, ...]
    """What `uname -r` prints for each kernel in the rpmdb."""
    leftovers: tuple[str, ...]
    """Paths that no image should hold, such as sources and DKMS trees."""
    kargs: dict[str, str]
    """Text of each file in /usr/lib/bootc/kargs.d."""
    bootc_lint: ProgramOutput | None
    """None: no bootc in this image, so it was not run."""


class BaseFacts(CommonFacts):
    """What the base image says, asked in the same way: whatever is in here is not our doing."""

    initramfs: InitramfsFact | None
    """None: its kernel is another one than the image's, so it excuses nothing."""
    dnf_check: ProgramOutput | None
    """None: not asked, because the image's own has nothing to excuse."""


class ImageFacts(StageDocument, CommonFacts):
    """The document inspect/<variant>.json."""

    variant: Text
    image_id: Sha256
    labels: dict[str, str]
    annotations: dict[str, str]
    """Of the manifest."""
    base: BaseFacts
    initramfs: InitramfsFact | None
    dnf_check: ProgramOutput
    kernels: tuple[str, ...]
    """Folders of /usr/lib/modules that hold a vmlinuz."""
    module_trees: tuple[str, ...]
    """Every folder of /usr/lib/modules."""
    public_keys: tuple[str, ...]
    """Keys in the rpmdb, as `rpm -qa` lists them: `gpg-pubkey-<version>-<release>`, sorted."""
    kmod_requires: dict[str, tuple[str, ...]]
    """What each kmod package requires, as `name = version`."""
    modules: tuple[ModuleFact, ...]
    certificates: dict[str, Sha256] = Field(default_factory=dict)
    """SHA-256 of each certificate for hosts to enrol, by its file name."""
    firmware: tuple[str, ...]
    """Versions of NVIDIA's GSP firmware."""
    units: tuple[UnitFact, ...]
    card_services: tuple[CardServiceFact, ...]
    var: tuple[VarFact, ...]
    """Sorted by path."""
    accounts: tuple[AccountFact, ...]
    verify: dict[str, ProgramOutput]
    """`rpm -V` of each kmod package."""
    host_policy: HostPolicyFacts
