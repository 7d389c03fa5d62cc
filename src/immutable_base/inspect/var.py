"""What packages have below /var, and which line of tmpfiles.d makes it on a host."""

from __future__ import annotations

import re
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, NamedTuple

from immutable_base.errors import CheckError
from immutable_base.image.program import MountedImage
from immutable_base.inspect.accounts import Accounts, known_names
from immutable_base.inspect.words import fragments, split, unescape
from immutable_base.model.facts import Declared, VarFact

# One line for each file of each package; neither tabs nor line ends occur in what rpm accepts.
FIELDS = (
    "%{FILEMODES:octal}", "%{FILEFLAGS}", "%{=NAME}", "%{FILEUSERNAME}", "%{FILEGROUPNAME}",
    "%{FILENAMES}", "%{FILELINKTOS}",
)  # fmt: skip
QUERY = ("rpm", "--query", "--all", "--queryformat", "[" + r"\t".join(FIELDS) + r"\n]")
NUMBERS = re.compile(r"[0-7]+\t[0-9]+\t", re.ASCII)
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


class _Row(NamedTuple):
    """A file of a package; in this order the first of a path counts, as in layers/scripts."""

    path: str
    mode: str
    flags: str
    user: str
    group: str
    target: str
    package: str

    @property
    def kind(self) -> Literal["folder", "link"] | None:
        mode = int(self.mode, 8)
        if stat.S_ISDIR(mode):
            return "folder"
        return "link" if stat.S_ISLNK(mode) else None

    @property
    def is_expected(self) -> bool:
        """Tell whether a host is to have it."""
        below = self.path.startswith("/var/") and not OUTSIDE.match(self.path)
        return below and self.kind is not None and not int(self.flags) & GHOST


def read_var(mounted: MountedImage, accounts: Accounts) -> tuple[VarFact, ...]:
    """Return folders and links that packages have below /var, sorted by path, each once.

    Raises CheckError if the image's rpm does not answer in the form that was asked for.
    """
    users, groups = known_names(mounted.root, accounts)
    declared = declared_paths(mounted.root)
    facts: dict[str, VarFact] = {}
    for row in sorted(_rows(mounted.read(*QUERY))):
        if row.kind is not None and row.path not in facts:
            facts[row.path] = VarFact(
                path=row.path, package=row.package, kind=row.kind, user=row.user, group=row.group,
                mode=f"{stat.S_IMODE(int(row.mode, 8)):04o}", target=row.target,
                user_known=row.user in users, group_known=row.group in groups,
                declared=declared.get(row.path),
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


def _rows(text: str) -> Iterator[_Row]:
    # Not splitlines(): rpm allows U+2028 and its like in file names.
    for line in text.split("\n"):
        fields = line.split("\t")
        # A package without files has one line of one word.
        if len(fields) == 1:
            continue
        if len(fields) != len(FIELDS) or not NUMBERS.match(line):
            raise _unreadable(line)
        mode, flags, package, user, group, path, target = fields
        row = _Row(path, mode, flags, user, group, target, package)
        if row.is_expected:
            yield row


def _unreadable(line: str) -> CheckError:
    return CheckError(
        "the image's rpm answered in a form that was not asked for", details=line[:200]
    )
