"""Package repositories: hard links to RPMs, metadata, signature."""

from __future__ import annotations

import os
import re
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
    folder: Path,
    rpms: Iterable[Path],
    key: SigningKey,
    *,
    checksum: str = USUAL,
    updateinfo: str = "",
) -> bool:
    """Make a signed repository of RPM files unless it is there; tell whether it had to be made.

    `checksum` is the algorithm that describes packages and metadata, `updateinfo` the XML of its
    advisories; empty: it publishes none. Raises CommandError.
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
        if updateinfo:
            _add_updateinfo(half, updateinfo, checksum)
        key.sign_detached(half / "repodata/repomd.xml")

    inputs: list[object] = [key.fingerprint, [str(rpm) for rpm in files]]
    if checksum != USUAL:
        inputs.append(checksum)
    if updateinfo:
        inputs.append(updateinfo)
    return cache.ensure(folder, cache.key_of(*inputs), fill)


def _add_updateinfo(folder: Path, text: str, checksum: str) -> None:
    file = folder / "updateinfo.xml"
    file.write_text(text)
    argv = (
        "modifyrepo_c", "--mdtype=updateinfo", "--compress-type=gz", f"--checksum={checksum}",
        str(file), str(folder / "repodata"),
    )  # fmt: skip
    run(Command(argv=argv, timeout=600))
    file.unlink()
    # modifyrepo_c knows no --set-timestamp-to-revision: it writes when it compressed the file.
    repomd = folder / "repodata/repomd.xml"
    timeless = f"<timestamp>{REVISION}</timestamp>"
    repomd.write_text(re.sub("<timestamp>[0-9]+</timestamp>", timeless, repomd.read_text()))
