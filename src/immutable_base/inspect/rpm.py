"""The image's rpmdb, asked with the image's own rpm."""

from __future__ import annotations

from immutable_base.image.program import Program
from immutable_base.model.facts import InstalledPackage

FORMAT = r"%{NAME}\t%{EPOCHNUM}\t%{VERSION}-%{RELEASE}\t%{ARCH}\n"
KEY = "gpg-pubkey"
UNAME_R = "kernel-uname-r"


def query(program: Program) -> str:
    """Return the list of packages, one a line, for `parse_packages`."""
    return program.output("rpm", "--query", "--all", "--queryformat", FORMAT)


def parse_packages(text: str) -> tuple[InstalledPackage, ...]:
    """Return the packages, sorted, without public keys."""
    rows = (line.split("\t") for line in text.splitlines() if line)
    packages = [
        InstalledPackage(name=name, evr=evr if epoch == "0" else f"{epoch}:{evr}", arch=arch)
        for name, epoch, evr, arch in rows
        if name != KEY
    ]
    return tuple(sorted(packages, key=lambda package: (package.name, package.evr, package.arch)))


def kernel_releases(program: Program) -> tuple[str, ...]:
    """Return what `uname -r` would print for every kernel in the rpmdb."""
    text = program.answer(
        "rpm", "--query", "--whatprovides", UNAME_R,
        "--queryformat", r"[%{PROVIDENAME}\t%{PROVIDEVERSION}\n]",
    ).text  # fmt: skip
    rows = (line.split("\t") for line in text.splitlines())
    return tuple(sorted({row[1] for row in rows if len(row) == 2 and row[0] == UNAME_R}))
