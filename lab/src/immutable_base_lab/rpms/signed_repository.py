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


def make_repository(folder: Path, rpms: Iterable[Path], key: SigningKey) -> bool:
    """Make a signed repository of RPM files unless it is there; tell whether it had to be made.

    Raises CommandError.
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
                    str(half),
                ),
                timeout=600,
            )
        )  # fmt: skip
        key.sign_detached(half / "repodata/repomd.xml")

    return cache.ensure(folder, cache.key_of(key.fingerprint, [str(rpm) for rpm in files]), fill)
