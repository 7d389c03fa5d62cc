"""What is tracked in the checkout, and copies of it alone."""

import shutil
import subprocess
from pathlib import Path, PurePosixPath

from support.paths import ROOT


def tracked(folder: str) -> set[str]:
    """Return the tracked files below a folder, relative to it."""
    command = ["git", "ls-files", "-z", "--", folder]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    names = (PurePosixPath(name) for name in listing.stdout.split("\0") if name)
    return {str(name.relative_to(folder)) for name in names if (ROOT / name).exists()}


def copy_tracked(target: Path) -> None:
    """Copy every tracked file: what a build leaves in the checkout must not get into the next."""
    for name in tracked("."):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, target / name, follow_symlinks=False)
