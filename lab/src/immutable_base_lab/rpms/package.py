"""One RPM from a prepared tree of files: spec, rpmbuild, signature."""

from __future__ import annotations

import grp
import os
import pwd
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from immutable_base.process import Command, run
from immutable_base_lab.core.signing_key import SigningKey
from immutable_base_lab.core.templates import load_templates

_templates = load_templates("immutable_base_lab.rpms")
# Characters that mean something in the %files section of a spec file. Quotes are no way out: rpm
# before 4.20 reads patterns inside them, later ones do not.
_SPECIAL = str.maketrans(
    {"[": "[[]", "*": "[*]", "?": "[?]", "%": "%%"} | dict.fromkeys(' \t"\\{}', "?")
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything in a spec file except its list of files."""

    name: str
    version: str
    release: str
    arch: str
    """`x86_64` or `noarch`."""
    summary: str
    epoch: int = 0
    license: str = "LicenseRef-Debian-copyright"
    url: str = "https://www.debian.org/"
    description: str = "Debian content, repackaged for the lab."
    requires: tuple[str, ...] = ()
    provides: tuple[str, ...] = ()
    conflicts: tuple[str, ...] = ()
    scripts: tuple[tuple[str, str], ...] = ()
    """Pairs of a section such as `post` and its shell lines."""
    config: frozenset[str] = frozenset()
    """Absolute paths that are configuration."""
    ghosts: tuple[str, ...] = ()
    """`%files` entries of files that appear after installation."""
    payload: str = "w1.zstdio"
    """rpm's name of the compression of the files."""
    mtime: int
    """Seconds since 1970: build time of the RPM, and the latest time of any file."""

    @property
    def evr(self) -> str:
        """Epoch (if any), version and release, as dependencies name them."""
        prefix = f"{self.epoch}:" if self.epoch else ""
        return f"{prefix}{self.version}-{self.release}"


def build(recipe: Recipe, tree: Path, folder: Path, key: SigningKey) -> Path:
    """Make and sign the RPM of a tree, which is used up; return the RPM, which is in `folder`.

    Raises CommandError with rpmbuild's output.
    """
    work = folder / f"{recipe.name}.work"
    work.mkdir(parents=True)
    entries = list(file_entries(recipe, tree))
    spec = work / "package.spec"
    template = _templates.get_template("package.spec.j2")
    spec.write_text(template.render(recipe=recipe, tree=tree, entries=entries))
    macros = {
        "_topdir": str(work / "top"),
        "_rpmdir": str(folder),
        "_rpmfilename": "%{NAME}-%{VERSION}-%{RELEASE}.%{ARCH}.rpm",
        "_binary_payload": recipe.payload,
        "_buildhost": "lab",
        "use_source_date_epoch_as_buildtime": "1",
        # The same, for rpm before and since 4.20.
        "clamp_mtime_to_source_date_epoch": "1",
        "build_mtime_policy": "clamp_to_source_date_epoch",
    }
    defines = [part for name, value in macros.items() for part in ("--define", f"{name} {value}")]
    argv = ("rpmbuild", "-bb", "--quiet", "--target", "x86_64", *defines, str(spec))
    run(Command(argv=argv, timeout=900, env={"SOURCE_DATE_EPOCH": str(recipe.mtime)}))
    run(Command(argv=("rm", "-rf", str(work)), timeout=120))
    rpm = folder / f"{recipe.name}-{recipe.version}-{recipe.release}.{recipe.arch}.rpm"
    key.sign_rpms(rpm)
    return rpm


def file_entries(recipe: Recipe, tree: Path) -> Iterator[str]:
    """Yield the lines of `%files` for a tree, in a stable order.

    Directories are listed only if they are empty or not plain root-owned 0755 ones: the others
    belong to many packages.
    """
    for folder, directories, names in os.walk(tree):
        here = Path(folder)
        directories.sort()
        links = [name for name in directories if (here / name).is_symlink()]
        for name in sorted(names + links):
            path = Path("/", here.relative_to(tree), name)
            mark = "%config(noreplace) " if str(path) in recipe.config else ""
            yield f"{mark}{_owner(here / name)}{_pattern(path)}"
        if here != tree and _is_listed(here, empty=not directories and not names):
            yield f"%dir {_owner(here)}{_pattern(Path('/', here.relative_to(tree)))}"
    yield from recipe.ghosts


def _pattern(path: Path) -> str:
    return str(path).translate(_SPECIAL)


def _owner(path: Path) -> str:
    """Return the owner if it is not root: one of Debian's fixed users and groups."""
    status = path.lstat()
    if status.st_uid == status.st_gid == 0 or os.geteuid() != 0:
        return ""
    user = pwd.getpwuid(status.st_uid).pw_name
    return f"%attr(-, {user}, {grp.getgrgid(status.st_gid).gr_name}) "


def _is_listed(folder: Path, *, empty: bool) -> bool:
    status = folder.stat()
    ordinary = stat.S_IMODE(status.st_mode) == 0o755 and status.st_uid == status.st_gid == 0
    return empty or not ordinary


def newest_mtime(tree: Path) -> int:
    """Return the latest modification time of a file in a tree, in seconds since 1970.

    To be asked before anything is changed: Debian fixes the times of a package at its last entry
    of the changelog, and later times are clamped to this one.
    """
    times = (path.lstat().st_mtime for path in tree.rglob("*") if not path.is_dir())
    return int(max(times, default=0))
