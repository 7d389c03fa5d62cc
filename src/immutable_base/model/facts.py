"""inspect/<variant>.json: what was read from an image; nothing in it is from the plan."""

from __future__ import annotations

from typing import Literal

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


class ImageFacts(StageDocument):
    """The document inspect/<variant>.json."""

    variant: Text
    image_id: Sha256
    labels: dict[str, str]
    kernels: tuple[str, ...]
    """Folders of /usr/lib/modules that hold a vmlinuz."""
    module_trees: tuple[str, ...]
    """Every folder of /usr/lib/modules."""
    kernel_packages: tuple[str, ...]
    """What `uname -r` prints for each kernel in the rpmdb."""
    packages: tuple[InstalledPackage, ...]
    """Sorted; without public keys."""
    base_packages: tuple[InstalledPackage, ...]
    """The same of the base image."""
    public_keys: tuple[str, ...]
    """Keys in the rpmdb, as `rpm -qa` lists them: `gpg-pubkey-<version>-<release>`, sorted."""
    kmod_requires: dict[str, tuple[str, ...]]
    """What each kmod package requires, as `name = version`."""
    modules: tuple[ModuleFact, ...]
    initramfs: InitramfsFact | None
    leftovers: tuple[str, ...]
    """Paths that no image should hold, such as sources and DKMS trees."""
    firmware: tuple[str, ...]
    """Versions of NVIDIA's GSP firmware."""
    kargs: dict[str, str]
    """Text of each file in /usr/lib/bootc/kargs.d."""
    units: tuple[UnitFact, ...]
    verify: dict[str, ProgramOutput]
    """`rpm -V` of each kmod package."""
    dnf_check: ProgramOutput
    bootc_lint: ProgramOutput | None
    """None: no bootc in this image, so it was not run."""
