"""Where the lab puts what it makes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from immutable_base.state import state_folder


def default_state() -> Path:
    """Return the folder of the lab's state when none is named."""
    return state_folder() / "lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPaths:
    """The folders and files below one state folder."""

    root: Path

    @property
    def tools(self) -> Path:
        """Programs, one folder per program, and `bin` with links to all of them."""
        return self.root / "tools"

    @property
    def state_file(self) -> Path:
        """Ports and daemons."""
        return self.root / "state.json"

    @property
    def rpms(self) -> Path:
        """Package repositories, one folder each, as the file server shows them."""
        return self.root / "rpms"

    @property
    def package_record(self) -> Path:
        """Which packages and kernels the repositories hold; there once they are whole."""
        return self.root / "universe"

    @property
    def indexes(self) -> Path:
        """Indexes of Debian's archive."""
        return self.root / "indexes"

    @property
    def debs(self) -> Path:
        """Debian packages as downloaded."""
        return self.root / "debs"

    @property
    def converted(self) -> Path:
        """RPMs, one folder for each conversion."""
        return self.root / "converted"

    @property
    def debian_root(self) -> Path:
        """The cached Debian system from which bases are made."""
        return self.root / "root"

    @property
    def debian_tree(self) -> Path:
        """The files of that system."""
        return self.debian_root / "root"

    @property
    def bases(self) -> Path:
        """Stand-in base images, one folder for each stream."""
        return self.root / "bases"

    @property
    def tiny_record(self) -> Path:
        """Which packages the repositories of the tiny stream hold; there once they are whole."""
        return self.root / "tiny" / "universe"

    @property
    def tiny_root(self) -> Path:
        """The cached Debian system from which its base is made, in a folder `root`."""
        return self.root / "tiny" / "root"

    @property
    def tiny_base(self) -> Path:
        """Its base image."""
        return self.root / "tiny" / "base"

    @property
    def debian_image(self) -> Path:
        """The stand-in for Debian's container image, its layout in a folder `oci`."""
        return self.root / "debian-image"

    def scenario(self, name: str) -> Path:
        """Return the folder of a scenario: its configuration, layers and runs."""
        return self.root / "scenarios" / name

    @property
    def rpm_key(self) -> Path:
        """The OpenPGP key of the package repositories."""
        return self.root / "rpm-key"

    @property
    def key_fingerprint(self) -> Path:
        """The fingerprint of that key, for those who pin it."""
        return self.trust / "lab-rpm-key.fingerprint"

    @property
    def keys(self) -> Path:
        """Private keys: readable by their owner only."""
        return self.root / "keys"

    @property
    def module_keys(self) -> Path:
        """Keys that sign modules and their certificates: this night's, and the one to follow it."""
        return self.root / "module-keys"

    @property
    def image_keys(self) -> Path:
        """Keys that sign images beside the keyless identity; readable by their owner only."""
        return self.root / "image-keys"

    @property
    def trust(self) -> Path:
        """Public halves: what a client of the lab has to trust."""
        return self.root / "trust"

    @property
    def ca_bundle(self) -> Path:
        """The machine's CAs and the lab's, for programs that take one bundle (tls.set_up_tls)."""
        return self.trust / "ca-bundle.pem"

    @property
    def services(self) -> Path:
        """Configuration files of the services, written anew by every `up`."""
        return self.root / "services"

    @property
    def registry_data(self) -> Path:
        """Blobs and manifests of the registry."""
        return self.root / "registry"

    @property
    def database(self) -> Path:
        """Data folder of the database."""
        return self.root / "database"

    @property
    def git(self) -> Path:
        """Repositories that stand for projects on GitLab."""
        return self.root / "git"

    @property
    def hosts(self) -> Path:
        """Machines that are kept, one folder each."""
        return self.root / "hosts"

    @property
    def log(self) -> Path:
        """What the services write, one file each."""
        return self.root / "log"

    @property
    def configuration(self) -> Path:
        """Configuration of the product for this lab."""
        return self.root / "immutable-base.toml"

    @property
    def programs(self) -> ProgramPaths:
        """The programs that the lab built."""
        return ProgramPaths(tools=self.tools)


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramPaths:
    """Programs that were built from pinned versions."""

    tools: Path

    @property
    def bin(self) -> Path:
        """The folder to put on PATH."""
        return self.tools / "bin"

    @property
    def share(self) -> Path:
        """Files that came with the programs' sources, one folder per program."""
        return self.tools / "share"

    def program(self, name: str) -> Path:
        """Return the path of one program, whether it is built or not."""
        return self.bin / name
