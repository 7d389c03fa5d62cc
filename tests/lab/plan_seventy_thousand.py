"""Measure what a plan costs on 70,000 packages of metadata, in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "tests"))

PACKAGES = 70_000


def measure(folder: Path, packages: int) -> dict[str, float]:
    from immutable_base.repository.metadata import Metadata, Source, read_repomd
    from immutable_base.solver.pool import PackagePool
    from immutable_base.solver.transaction import TransactionRequest, solve
    from support.pools import NO_KEY

    source = Source(id="big", url=folder.as_uri() + "/")
    index = read_repomd(source, (folder / "repodata" / "repomd.xml").read_bytes())
    metadata = Metadata(
        source=source, revision=index.revision, repomd_sha256="", signed_by=None, key=NO_KEY,
        primary=next((folder / "repodata").glob("*-primary.xml.gz")), files=index.files,
    )  # fmt: skip
    started = time.process_time()
    pool = PackagePool([metadata], [], lambda name: None)
    for number in range(8):  # as many transactions as four variants have
        names = (f"package-{packages // 2 + number}",)
        request = TransactionRequest(title="x", repositories=("big",), names=names)
        assert solve(pool, pool.base, request).new
    return {"seconds": round(time.process_time() - started, 3), "packages": pool.size_of("big")}


def main() -> None:
    folder = Path(sys.argv[1])
    write_in_child(folder / "tenth", PACKAGES // 10)
    write_in_child(folder / "whole", PACKAGES)
    tenth = measure(folder / "tenth", PACKAGES // 10)
    folder = folder / "whole"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    figures = measure(folder, PACKAGES)
    figures["mebibytes"] = round(
        (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    )
    figures["times_a_tenth"] = round(figures["seconds"] / tenth["seconds"], 1)
    # Whoever reads the XML a second time finds none.
    next((folder / "repodata").glob("*-primary.xml.gz")).write_bytes(b"")
    figures["warm_packages"] = measure(folder, PACKAGES)["packages"]
    print(json.dumps(figures))


def write_in_child(folder: Path, packages: int) -> None:
    """Write in another process, so that its memory is not counted."""
    child = os.fork()
    if child == 0:
        from support.many_packages import write_many

        write_many(folder, packages)
        os._exit(0)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main()
