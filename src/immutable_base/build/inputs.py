"""What a build works with, beside its plan."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base.documents import Documents
from immutable_base.tls import Tls
from immutable_base.tools.buildah import Storage
from immutable_base.tools.module_signature import ModuleKey


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildInputs:
    """Settings, folders, and our own storage of images."""

    settings: Settings
    config_folder: Path
    """Where relative paths of the configuration begin."""
    layers_folder: Path
    """The folder `layers/` with Containerfiles."""
    run_folder: Path
    """Folder of this run: its documents, packages, what steps mount, compiled modules."""
    logs: Path
    """Folder of logs, one file per node."""
    storage: Storage
    tls: Tls
    module_key: ModuleKey | None = None
    """What signs modules; None: nothing that is compiled here is to be signed."""
    candidates: str | None = None
    """Repository to leave images in for other machines; None: nowhere."""
    clock: Callable[[], float] = time.time
    """Returns the seconds since 1970."""

    @property
    def documents(self) -> Documents:
        """The documents of this run, the plan among them."""
        return Documents(self.run_folder)
