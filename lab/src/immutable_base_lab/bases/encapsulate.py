"""From a root file system to an image that ostree can deploy, as the real bases are made."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from immutable_base.errors import HostError
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.debian import root
from immutable_base_lab.programs import ostree

WORK = f"{root.TEMPORARY}/work"
TOOLS = f"{root.TEMPORARY}/tools"
REPOSITORY = f"{WORK}/repo"


def container_program(paths: LabPaths) -> Path:
    """Return bootc's container stack. Raises HostError if it is not built."""
    program = paths.programs.program(ostree.PROGRAM)
    if not program.exists():
        raise HostError(f"{ostree.PROGRAM} is not built", hint="run `immutable-base lab up`")
    return program


def encapsulate(
    host: Path, tools: Path, folder: Path, labels: Mapping[str, str], epoch: int
) -> None:
    """Commit `folder/rootfs`, write it as the OCI layout `folder/oci`, and remove it.

    `host`: a root with ostree, in which that happens; `tools`: the lab's programs; `epoch`: seconds
    since 1970, the time of the commit. Raises CommandError.
    """
    tree = folder / "rootfs"
    # Where ostree keeps what it merges into a host's own /etc.
    (tree / "etc").rename(tree / "usr/etc")
    binds = {WORK: folder, TOOLS: tools}
    env = {"SOURCE_DATE_EPOCH": str(epoch)}

    def do(*argv: str) -> None:
        root.enter(host, *argv, binds=binds, env=env)

    do("ostree", "init", f"--repo={REPOSITORY}", "--mode=bare-user")
    do(
        "ostree", "commit", f"--repo={REPOSITORY}", "--branch=base", "--bootable",
        f"--tree=dir={WORK}/rootfs", f"--timestamp=@{epoch}",
        f"--add-metadata-string=version={labels['org.opencontainers.image.version']}",
    )  # fmt: skip
    do(
        f"{TOOLS}/bin/{ostree.PROGRAM}", "container", "encapsulate", f"--repo={REPOSITORY}", "base",
        f"oci:{WORK}/oci", "--compression-fast", "--cmd=/sbin/init",
        *(f"--label={key}={value}" for key, value in sorted(labels.items())),
    )  # fmt: skip
    for leftover in (folder / "repo", tree):
        shutil.rmtree(leftover)
