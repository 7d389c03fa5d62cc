"""What it takes to sign a kernel module."""

from __future__ import annotations

import lzma
import os
import statistics
import time
from pathlib import Path

from common import Row

from immutable_base.build.graph import image_tag
from immutable_base.config.load import load_settings
from immutable_base.image.program import mounted_image
from immutable_base.module_signing import open_module_key, read_signer
from immutable_base.process import run
from immutable_base.tools import buildah

REPEATS = 20


def signing_row(workspace: Path, config: Path, variant: str) -> Row:
    """Sign the largest module of a variant that was built, with the configured key."""
    table = load_settings(config).module_signing
    if table is None:
        raise SystemExit(f"{config} has no [module_signing]")
    key = open_module_key(run, read_signer(table, config.parent, now=time.time()), os.environ)
    name, module = max(_modules(workspace, variant).items(), key=lambda item: len(item[1]))
    seconds = []
    for _ in range(REPEATS):
        started = time.monotonic()
        key.sign(module)
        seconds.append(time.monotonic() - started)
    what = f"signing the module `{name}` ({len(module) >> 10} KiB), median of {REPEATS}"
    return Row(what, statistics.median(seconds), None, "-", digits=3)


def _modules(workspace: Path, variant: str) -> dict[str, bytes]:
    """Return our modules in an image, decompressed."""
    storage = buildah.Storage(run, workspace / "storage")
    with mounted_image(storage, image_tag(variant)) as mounted:
        found = list(mounted.root.glob("usr/lib/modules/*/extra/*.ko.xz"))
        return {path.name.partition(".")[0]: lzma.decompress(path.read_bytes()) for path in found}
