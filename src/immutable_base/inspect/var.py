"""What packages have below /var, and which line of tmpfiles.d makes it on a host."""

from __future__ import annotations

import re
import stat
from pathlib import Path
from typing import Literal

from immutable_base.image.program import MountedImage
from immutable_base.image.rpmdb import PackagedFile, packaged_files
from immutable_base.inspect.accounts import Accounts, known_names
from immutable_base.inspect.words import fragments, split, unescape
from immutable_base.model.facts import Declared, VarFact

GHOST = 1 << 6
"""RPMFILE_GHOST of rpm's rpmfiles.h: a file that the program makes, not the package."""
OUTSIDE = re.compile(r"/var/(run|lock)(/|$)")
"""Links to /run, which is empty at every boot, on any host."""
MAKING = "fFdDvqQpLcbC"
"""Types of lines that make something where nothing is; the others change or remove. Source:
tmpfiles.d(5)."""
SPECIFIERS = {
    "%C": "/var/cache", "%L": "/var/log", "%S": "/var/lib", "%V": "/var/tmp", "%%": "%",  # noqa: S108  what systemd means by it
}  # fmt: skip
SPECIFIER = re.compile("%.")
TMPFILES_FIELDS = 6


def read_var(mounted: MountedImage, accounts: Accounts) -> tuple[VarFact, ...]:
    """Return folders and links that packages have below /var, sorted by path, each once.

    Raises CheckError if the image's rpm does not answer in the form that was asked for.
    """
    users, groups = known_names(mounted.root, accounts)
    declared = declared_paths(mounted.root)
    facts: dict[str, VarFact] = {}
    for file in sorted(filter(_is_expected, packaged_files(mounted))):
        kind = _kind(file)
        if kind is not None and file.path not in facts:
            facts[file.path] = VarFact(
                path=file.path, package=file.package, kind=kind, user=file.user, group=file.group,
                mode=f"{stat.S_IMODE(int(file.mode, 8)):04o}", target=file.target,
                user_known=file.user in users, group_known=file.group in groups,
                declared=declared.get(file.path),
            )  # fmt: skip
    return tuple(facts.values())


def declared_paths(root: Path) -> dict[str, Declared]:
    """Return what tmpfiles.d makes below /var, by path; of two lines for one the first counts."""
    found: dict[str, Declared] = {}
    for file, lines in fragments(root, "tmpfiles.d"):
        for line in lines:
            words, argument = split(line, TMPFILES_FIELDS)
            kind, path, mode, user, group, _ = (*words, *["-"] * (TMPFILES_FIELDS - len(words)))
            path = _plain(path).rstrip("/")
            if kind[:1] in MAKING and path.startswith("/var/"):
                target = _plain(unescape(argument))
                made = Declared(
                    file=file, kind=kind, mode=mode, user=user, group=group, target=target
                )
                found.setdefault(path, made)
    return found


def _plain(text: str) -> str:
    return SPECIFIER.sub(lambda match: SPECIFIERS.get(match[0], match[0]), text)


def _kind(file: PackagedFile) -> Literal["folder", "link"] | None:
    mode = int(file.mode, 8)
    if stat.S_ISDIR(mode):
        return "folder"
    return "link" if stat.S_ISLNK(mode) else None


def _is_expected(file: PackagedFile) -> bool:
    """Tell whether a host is to have it."""
    below = file.path.startswith("/var/") and not OUTSIDE.match(file.path)
    return below and _kind(file) is not None and not int(file.flags) & GHOST
