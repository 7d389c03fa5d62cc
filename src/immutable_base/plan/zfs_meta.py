"""What OpenZFS declares of itself: `Linux-Maximum` in META of the exact package, never of a tag.

Releases have differed from their tags in just this line (openzfs/zfs issue 18760).
"""

from __future__ import annotations

import re
from pathlib import Path

from immutable_base.config.schema import Module
from immutable_base.download import Downloader
from immutable_base.errors import PlanError
from immutable_base.model.plan import Package
from immutable_base.process import Runner
from immutable_base.tools.rpm2cpio import read_member
from immutable_base.workspace import write_atomically

MAXIMUM = re.compile(r"^Linux-Maximum:\s*([0-9]+\.[0-9]+)\s*$", re.MULTILINE)


def linux_maximum(
    run: Runner, downloader: Downloader, cache: Path, module: Module, package: Package
) -> str:
    """Return the newest kernel (`major.minor`) that a package with META declares.

    `cache` keeps META by the package's checksum. Raises RemoteError or VerificationError if the
    package cannot be fetched as its repository describes it, PlanError if it declares
    nothing.
    """
    stem = package.required.file_stem
    cached = cache / f"{stem}.META"
    if not cached.is_file():
        what = f"the package {package.nevra}"
        rpm = downloader.fetch_file(
            package.url, what, package.required, cache / f"{stem}.rpm", size=package.size
        )
        member = f"/usr/src/{module.dkms_name}-{package.version}/META"
        write_atomically(cached, read_member(run, rpm, member))
        rpm.unlink()
    # Its authors' names are in whatever encoding they had.
    return parse_maximum(cached.read_text("utf-8", errors="replace"), package.nevra)


def parse_maximum(meta: str, name: str) -> str:
    """Return `Linux-Maximum` of a META file. Raises PlanError if it has none."""
    found = MAXIMUM.search(meta)
    if found is None:
        raise PlanError(f"META in {name} declares no Linux-Maximum")
    return found.group(1)
