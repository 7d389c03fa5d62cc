"""A pool of small repositories, without the planner around it."""

from pathlib import Path

from immutable_base.image.rpmdb import parse
from immutable_base.repository.keys import PinnedKey
from immutable_base.repository.metadata import Metadata, Source
from immutable_base.solver.pool import PackagePool
from support.plan_world import installed_text
from support.rpmmd import Rpm, write_repository

NO_KEY = PinnedKey(name="none", fingerprint="", keyring=b"", armored="")
"""Nothing is verified here."""


def installed(*rpms: Rpm):
    """Return packages as the image's rpmdb has them."""
    return parse(installed_text(list(rpms))).packages if rpms else ()


def pool_of(folder: Path, repositories: dict[str, list[Rpm]], base: tuple[Rpm, ...] = ()):
    """Write repositories and return a pool of them, in this order, and of what a base has."""
    metadata = []
    for name, rpms in repositories.items():
        written = write_repository(folder / name, rpms)
        metadata.append(
            Metadata(
                source=Source(id=name, url=f"https://repo.example/{name}/"), revision="1", repomd_sha256="0" * 64,
                signed_by=None, key=NO_KEY, primary=written.files["primary"], files={},
            )
        )  # fmt: skip
    return PackagePool(metadata, installed(*base), lambda _name: None)


def recorded(world) -> list[tuple[str, ...]]:
    """Return a list that receives every command of a world."""
    commands, real = [], world.run

    def run(command):
        commands.append(command.argv)
        return real(command)

    world.run = run
    return commands
