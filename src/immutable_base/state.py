"""Where this product leaves what outlives a command."""

from __future__ import annotations

import os
from pathlib import Path

STARTED_BY = "IMMUTABLE_BASE_STARTED_BY"
"""Environment of a command in namespaces of its own: the process that started it, by the number
that users see, and may end it by."""


def state_folder() -> Path:
    """Return `$XDG_STATE_HOME/immutable-base` (XDG Base Directory Specification)."""
    state = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(state) / "immutable-base"


def tools_folder() -> Path:
    """Return the folder of the programs that `immutable-base tools` installs."""
    return state_folder() / "tools"


def trust_folder() -> Path:
    """Return the folder of the public instance's trust, as `immutable-base trust update` got it."""
    return state_folder() / "trust"
