"""What the tiny stream takes from Debian: the content of debian.toml."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files

from pydantic import BaseModel, ConfigDict

from immutable_base_lab.debian import catalogue
from immutable_base_lab.debian.catalogue import Catalogue, Change, Distribution, SuiteEntry

REPOSITORY, DEVEL_REPOSITORY, MODULE_REPOSITORY = "tiny", "tiny-devel", "tiny-modules"
"""What can be installed; what modules are compiled against; modules."""


class TinyContent(BaseModel):
    """The whole file."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    suites: tuple[SuiteEntry, ...]
    base: tuple[str, ...]
    packages: tuple[str, ...]
    kernel: tuple[str, ...]
    """Parts of the kernel's tree of modules that stay: folders, and modules without `.ko`."""
    changes: Mapping[str, Change]
    stream: Distribution

    def catalogue(self) -> Catalogue:
        """Return the catalogue of the tiny stream; what it does not say is the large one's."""
        large = catalogue.load()
        return large.model_copy(
            update={
                "suites": self.suites,
                "base": self.base,
                "repositories": {REPOSITORY: self.packages},
                "changes": {**large.changes, **self.changes},
                "streams": {REPOSITORY: self.stream},
            }
        )


@lru_cache(maxsize=1)
def load() -> TinyContent:
    """Read the file that is part of the package."""
    text = files("immutable_base_lab.scenarios").joinpath("debian.toml").read_text()
    return TinyContent.model_validate(tomllib.loads(text))
