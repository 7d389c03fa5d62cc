"""Where the lab keeps what it makes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path


def default_state() -> Path:
    """Return the folder of the lab's state when none is named.

    Source: XDG Base Directory Specification 0.8, `$XDG_STATE_HOME`.
    """
    home = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(home) / "immutable-base" / "lab"


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPaths:
    """The folders and files below one state folder."""

    root: Path

    @property
    def tools(self) -> Path:
        """Programs, one piece per program, and `bin` with links to all of them."""
        return self.root / "tools"

    @property
    def state_file(self) -> Path:
        """Ports and daemons."""
        return self.root / "state.json"

    @property
    def lock_file(self) -> Path:
        """Held by an `up` or a `down` while it works."""
        return self.root / "lock"

    @property
    def rpms(self) -> Path:
        """Package repositories, one folder each, as the file server shows them."""
        return self.root / "rpms"

    @property
    def keys(self) -> Path:
        """Private keys: readable by their owner only."""
        return self.root / "keys"

    @property
    def trust(self) -> Path:
        """Public halves: what a client of the lab has to trust."""
        return self.root / "trust"

    @property
    def ca_bundle(self) -> Path:
        """The machine's CAs and the lab's, for programs that take one bundle."""
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
