"""What an image has installed, as its own rpm says it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from immutable_base.errors import ImmutableBaseError

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
QUERY = ("rpm", "--query", "--all", "--queryformat", QUERY_FORMAT)
# rpmsenseFlags of rpm's rpmds.h.
LESS, GREATER, EQUAL = 1 << 1, 1 << 2, 1 << 3
# What rpm prints for a tag that a package does not have.
ABSENT = "(none)"
# Capabilities of rpm itself; no package provides them.
INTERNAL = "rpmlib("


@dataclass(frozen=True, slots=True, kw_only=True)
class Relation:
    """A dependency: a name or rich expression, and what its version must be."""

    name: str
    comparison: str
    """One of ``""``, `<`, `<=`, `=`, `>=`, `>`."""
    evr: str


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


def parse(text: str) -> tuple[Installed, ...]:
    """Read what `QUERY` printed, sorted by name, version and architecture.

    Raises ImmutableBaseError at the first line that is not of the form asked for.
    """
    packages = [_package(lines) for lines in _records(text)]
    # Signing keys are in the rpmdb as well; they are no packages.
    real = [package for package in packages if package.name != "gpg-pubkey"]
    return tuple(sorted(real, key=lambda package: (package.name, package.evr, package.arch)))


def _records(text: str) -> Iterator[list[list[str]]]:
    lines: list[list[str]] = []
    for number, line in enumerate(text.splitlines(), 1):
        if line == "end" and lines:
            yield lines
            lines = []
            continue
        fields = line.split("\t")
        expected = {"package": 7, "file": 2, **dict.fromkeys(ARRAYS, 4)}.get(fields[0])
        if len(fields) != expected or (fields[0] == "package") is bool(lines):
            raise ImmutableBaseError(
                "the rpm of the base image answered in a form that was not asked for",
                details=f"line {number}: {line[:200]}",
            )
        lines.append(fields)
    if lines:
        raise ImmutableBaseError("the answer of the base image's rpm is cut off")


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
        evr=f"{version}-{release}" if epoch == "0" else f"{epoch}:{version}-{release}",
        arch=arch,
        build_time=int(build_time),
        files=frozenset(files),
        **{word: tuple(relations) for word, relations in found.items()},
    )


def _relation(name: str, flags: str, evr: str) -> Relation:
    bits = int(flags)
    signs = (("<", LESS), (">", GREATER), ("=", EQUAL))
    comparison = "".join(sign for sign, bit in signs if bits & bit)
    return Relation(name=name, comparison=comparison if evr else "", evr=evr if comparison else "")
