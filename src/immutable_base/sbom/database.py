"""What a lister of packages needs of an image: its rpm database and the name of its system.

Nothing else: to walk a whole image takes longer than to list what is installed in it.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from immutable_base.errors import CheckError

DATABASES = ("usr/share/rpm", "usr/lib/sysimage/rpm", "var/lib/rpm")
"""Where it may be: as rpm-ostree has it, as Fedora has it, and where rpm had it first. All but one
are links; source: https://fedoraproject.org/wiki/Changes/RelocateRPMToUsr."""
SYSTEM = ("usr/lib/os-release", "etc/os-release")
"""Source: os-release(5)."""


def copy_database(root: Path, target: Path) -> None:
    """Copy the rpm database of the image whose root is `root`, and its os-release, to `target`.

    Links are copied as links, so that nothing outside the image is read. Raises CheckError if the
    image has no database.
    """
    found = [name for name in DATABASES if _inside(root, name) and any((root / name).iterdir())]
    if not found:
        raise CheckError("the image has no rpm database", details="\n".join(DATABASES))
    for name in found:
        shutil.copytree(root / name, target / name, symlinks=True)
    for name in (name for name in SYSTEM if (root / name).is_file() or (root / name).is_symlink()):
        (target / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, target / name, follow_symlinks=False)


def _inside(root: Path, name: str) -> bool:
    """Tell whether it is a folder of the image, and no part of the way to it is a link."""
    way = [root / part for part in (Path(name), *list(Path(name).parents)[:-1])]
    return (root / name).is_dir() and not any(part.is_symlink() for part in way)
