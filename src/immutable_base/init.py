"""A configuration and its layers to begin with, as they are shipped."""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from immutable_base.errors import ConfigurationError, HostError

DEFAULTS = Path(__file__).parent / "defaults"
"""In a checkout links to the one copy at its top; in an installed package the files themselves."""


def write_defaults(folder: Path) -> tuple[str, ...]:
    """Write the shipped configuration and layers into a folder; return the names written there.

    The folder is made if need be. Raises ConfigurationError if it has one of the names already, or
    is no folder; HostError if this installation lacks the files. Then nothing was written.
    """
    names = tuple(sorted(path.name for path in DEFAULTS.iterdir())) if DEFAULTS.is_dir() else ()
    if not names or not all((DEFAULTS / name).exists() for name in names):
        raise HostError(
            f"this installation has no default configuration in {DEFAULTS}",
            hint="`pip install --force-reinstall immutable-base`",
        )
    _require_free(folder, names)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise ConfigurationError(
            f"{folder} cannot be made: {error.filename} is no folder",
            hint="name a folder that does not exist yet, or one without a configuration",
        ) from error
    with tempfile.TemporaryDirectory(dir=folder, prefix=".init-") as scratch:
        for name in names:
            _copy(DEFAULTS / name, Path(scratch) / name)
        for name in names:
            (Path(scratch) / name).rename(folder / name)
    return names


def _require_free(folder: Path, names: tuple[str, ...]) -> None:
    there = [name for name in names if (folder / name).exists() or (folder / name).is_symlink()]
    if there:
        raise ConfigurationError(
            f"{folder} already has {', '.join(there)}; nothing was written",
            hint="name another folder, or move them away first",
        )


def _copy(source: Path, target: Path) -> None:
    """Copy a file, or a folder with all that is in it, so that its owner can edit it.

    Of modes only "executable" is kept: an installation may be read-only.
    """
    if source.is_dir():
        target.mkdir()
        for item in source.iterdir():
            _copy(item, target / item.name)
    else:
        shutil.copyfile(source, target)
        executable = source.stat().st_mode & 0o111
        target.chmod(0o755 if executable else 0o644)
