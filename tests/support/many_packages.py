"""A large repository, as Fedora's are: for what a plan costs beside so many packages."""

from pathlib import Path

from support.rpmmd import Rpm, write_repository


def write_many(folder: Path, packages: int) -> None:
    """Write the metadata of so many packages, each of which requires a dozen others."""
    rpms = [
        Rpm(
            f"package-{i}",
            f"{i % 7}.{i % 13}-{i % 3}.el10",
            requires=tuple(f"package-{i - i % 50 - k * 50}" for k in range(12) if i > 1000),
            provides=(f"libp{i}.so()(64bit)",),
            files=(f"/usr/bin/p{i}",),
        )
        for i in range(packages)
    ]
    write_repository(folder, rpms, filelists=False)
