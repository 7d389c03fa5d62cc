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


def default_workspace() -> Path:
    """Return the folder for runs: `$XDG_STATE_HOME/immutable-base/nights`.

    In a GitLab job it is below the project's folder, which is a volume; a home folder there lies on
    the container's own file system, where no image can be built. Source: CI_PROJECT_DIR in
    https://docs.gitlab.com/ci/variables/predefined_variables/.
    """
    project = os.environ.get("CI_PROJECT_DIR")
    if os.environ.get("GITLAB_CI") and project:
        return Path(project) / ".nights"
    return state_folder() / "nights"
