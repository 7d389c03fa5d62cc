"""Package repositories: hard links to RPMs, metadata, signature."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

from immutable_base.process import Command, run
from immutable_base_lab.core import cache
from immutable_base_lab.core.signing_key import SigningKey

# Any fixed second will do: two runs over the same packages give the same metadata.
REVISION = "1"
USUAL = "sha256"
"""Algorithm that describes packages and metadata where upstream says nothing else: createrepo_c's
default."""


def make_repository(
    folder: Path, rpms: Iterable[Path], key: SigningKey, *, checksum: str = USUAL
) -> bool:
    """Make a signed repository of RPM files unless it is there; tell whether it had to be made.

    `checksum` is the algorithm that describes packages and metadata. Raises CommandError.
    """
    files = sorted(set(rpms))

    def fill(half: Path) -> None:
        for rpm in files:
            os.link(rpm, half / rpm.name)
        run(
            Command(
                argv=(
                    "createrepo_c", "--quiet", "--workers=2", "--general-compress-type=gz",
                    "--no-database", f"--revision={REVISION}", "--set-timestamp-to-revision",
                    f"--checksum={checksum}", str(half),
                ),
                timeout=600,
            )
        )  # fmt: skip
        key.sign_detached(half / "repodata/repomd.xml")

    inputs: list[object] = [key.fingerprint, [str(rpm) for rpm in files]]
    if checksum != USUAL:
        inputs.append(checksum)
    return cache.ensure(folder, cache.key_of(*inputs), fill)
