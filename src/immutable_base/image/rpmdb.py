"""What an image has installed, as its own rpm says it: two queries, read strictly."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from immutable_base.errors import CheckError
from immutable_base.image.program import MountedImage
from immutable_base.model.evr import Evr

ARRAYS = {
    "provides": "PROVIDE",
    "requires": "REQUIRE",
    "conflicts": "CONFLICT",
    "obsoletes": "OBSOLETE",
}
# One record per line, fields separated by tabs, each package closed by `end`: neither tabs nor
# line ends can occur in what rpm accepts as a name, version or dependency.
QUERY_FORMAT = (
    r"package\t%{NAME}\t%{EPOCHNUM}\t%{VERSION}\t%{RELEASE}\t%{ARCH}\t%{BUILDTIME}\n"
    + "".join(
        rf"[{word}\t%{{{tag}NAME}}\t%{{{tag}FLAGS}}\t%{{{tag}VERSION}}\n]"
        for word, tag in ARRAYS.items()
    )
    + r"[file\t%{FILENAMES}\n]end\n"
)
FIELDS = {"package": 7, "file": 2, **dict.fromkeys(ARRAYS, 4)}
"""How many fields each kind of line has."""
QUERY = ("rpm", "--query", "--all", "--queryformat", QUERY_FORMAT)
# One line for each file of each package, without the tabs and line ends that it cannot have.
FILE_FIELDS = (
    "%{FILEMODES:octal}", "%{FILEFLAGS}", "%{=NAME}", "%{FILEUSERNAME}", "%{FILEGROUPNAME}",
    "%{FILENAMES}", "%{FILELINKTOS}",
)  # fmt: skip
FILE_QUERY = ("rpm", "--query", "--all", "--queryformat", "[" + r"\t".join(FILE_FIELDS) + r"\n]")
NUMBERS = re.compile(r"[0-7]+\t[0-9]+\t", re.ASCII)
"""How a line on a file begins: its mode and its flags."""
# rpmsenseFlags of rpm's rpmds.h.
LESS, GREATER, EQUAL = 1 << 1, 1 << 2, 1 << 3
# What rpm prints for a tag that a package does not have.
ABSENT = "(none)"
KEY = "gpg-pubkey"
UNAME_R = "kernel-uname-r"
"""What the package with the kernel provides, versioned with what `uname -r` prints."""
# Capabilities of rpm itself; no package provides them.
INTERNAL = "rpmlib("


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A dependency: a name or rich expression, and what its version must be."""

    name: str
    comparison: str
    """One of ``""``, `<`, `<=`, `=`, `>=`, `>`."""
    evr: str

    def __str__(self) -> str:
        """Return the dependency as a spec file has it."""
        return f"{self.name} {self.comparison} {self.evr}".rstrip()


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A package in the image's rpmdb."""

    name: str
    evr: str
    """`[epoch:]version-release`; epoch 0 is left out."""
    arch: str
    build_time: int
    provides: tuple[Relation, ...] = ()
    requires: tuple[Relation, ...] = ()
    conflicts: tuple[Relation, ...] = ()
    obsoletes: tuple[Relation, ...] = ()
    files: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class RpmDatabase:
    """Everything in an image's rpmdb."""

    packages: tuple[Installed, ...]
    """Sorted by name, version and architecture."""
    public_keys: tuple[str, ...]
    """Signing keys, which rpm stores as if they were packages: `gpg-pubkey-<version>-<release>`."""


class PackagedFile(NamedTuple):
    """A file of a package; in this order the first of a path counts, as in layers/scripts."""

    path: str
    mode: str
    """Octal, with the bits of the kind, as in `st_mode`."""
    flags: str
    """rpmfileAttrs of rpm's rpmfiles.h, decimal."""
    user: str
    group: str
    target: str
    """Of a link; else empty."""
    package: str


def query_text(image: MountedImage) -> str:
    """Ask a mounted image's rpm for everything; `parse` reads the answer.

    Raises CheckError if rpm fails or says nothing.
    """
    return image.read(*QUERY)


def parse(text: str) -> RpmDatabase:
    """Read what `QUERY` printed.

    Raises CheckError at the first line that is not of the form asked for, or if there is no
    package at all.
    """
    entries = [_package(lines) for lines in _records(text)]
    packages = [entry for entry in entries if entry.name != KEY]
    if not packages:
        raise CheckError("the image's rpm database holds no package")
    return RpmDatabase(
        packages=tuple(sorted(packages, key=lambda item: (item.name, item.evr, item.arch))),
        public_keys=tuple(sorted(f"{e.name}-{e.evr}" for e in entries if e.name == KEY)),
    )


def packaged_files(image: MountedImage) -> Iterator[PackagedFile]:
    """Ask a mounted image's rpm for every file of every package, in rpm's own order.

    Raises CheckError if rpm fails, says nothing, or answers in another form.
    """
    # Not splitlines(): rpm allows U+2028 and its like in file names.
    for line in image.read(*FILE_QUERY).split("\n"):
        fields = line.split("\t")
        # A package without files has one line of one word.
        if len(fields) == 1:
            continue
        if len(fields) != len(FILE_FIELDS) or not NUMBERS.match(line):
            raise _unreadable(line[:200])
        mode, flags, package, user, group, path, target = fields
        yield PackagedFile(path, mode, flags, user, group, target, package)


def _records(text: str) -> Iterator[list[list[str]]]:
    lines: list[list[str]] = []
    # Not splitlines(): rpm allows U+2028 and its like in file names.
    for number, line in enumerate(text.removesuffix("\n").split("\n"), 1):
        if line == "end" and lines:
            yield lines
            lines = []
            continue
        fields = line.split("\t")
        expected = FIELDS.get(fields[0])
        if len(fields) != expected or (fields[0] == "package") is bool(lines):
            raise _unreadable(f"line {number}: {line[:200]}")
        lines.append(fields)
    if lines:
        raise CheckError("the answer of the image's rpm is cut off")


def _unreadable(evidence: str) -> CheckError:
    return CheckError("the image's rpm answered in a form that was not asked for", details=evidence)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise _unreadable(f"'{text}' is no number")
    return int(text)


def _package(lines: list[list[str]]) -> Installed:
    _, name, epoch, version, release, arch, build_time = lines[0]
    found: dict[str, list[Relation]] = {word: [] for word in ARRAYS}
    files = set()
    for fields in lines[1:]:
        if fields[1] == ABSENT or fields[1].startswith(INTERNAL):
            continue
        if fields[0] == "file":
            files.add(fields[1])
        else:
            found[fields[0]].append(_relation(*fields[1:]))
    return Installed(
        name=name,
        evr=str(Evr(_number(epoch), version, release)),
        arch=arch,
        build_time=_number(build_time),
        files=frozenset(files),
        **{word: tuple(relations) for word, relations in found.items()},
    )


def _relation(name: str, flags: str, evr: str) -> Relation:
    bits = _number(flags)
    signs = (("<", LESS), (">", GREATER), ("=", EQUAL))
    comparison = "".join(sign for sign, bit in signs if bits & bit)
    return Relation(name=name, comparison=comparison if evr else "", evr=evr if comparison else "")
