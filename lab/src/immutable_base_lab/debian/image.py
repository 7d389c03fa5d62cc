"""The lab's stand-in for Debian's own container image, on which the image of the jobs is built."""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path

from immutable_base.process import Command, run
from immutable_base.tools import skopeo
from immutable_base_lab.bases import oci_layout
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.debian.archive import KEYRING, STABLE, machine_mirrors

FORMAT = 1
AUTHORITIES = Path("etc/lab-authorities.pem")
"""The machine's CAs, by which pip knows the registry of Python packages that this machine uses."""
TOOLS = Path("opt/state/immutable-base/tools/bin")
"""Where ci/Containerfile has `immutable-base tools` build: what is there in its version stays."""
BUILT = ("cosign", "syft")


def make_debian_image(paths: LabPaths) -> Path:
    """Make the image unless it is there, and return its OCI layout.

    apt's mirror and pip's registry are this machine's. cosign and syft are those that the lab has
    built from the same pins: to build them takes longer than all the rest. Raises CommandError.
    """
    mirrors = machine_mirrors()
    programs = [paths.programs.program(name).resolve() for name in BUILT]
    sizes = [path.stat().st_size for path in programs]
    key = cache.key_of(FORMAT, STABLE, mirrors.archive, mirrors.security, _pip(), sizes)
    cache.ensure(paths.debian_image, key, lambda folder: _make(folder, programs))
    return paths.debian_image / "oci"


def push_debian_image(paths: LabPaths, registry: str, env: Mapping[str, str]) -> str:
    """Push the image into the lab's registry, and return its reference: a tag, as Debian's own is.

    `env` names the CAs that skopeo trusts. Raises CommandError, RemoteError.
    """
    layout = make_debian_image(paths)
    digest = json.loads((layout / "index.json").read_text())["manifests"][0]["digest"]
    repository = f"{registry}/library/debian"
    skopeo.push(run, layout, f"{repository}@{digest}", env)
    tagged = f"{repository}:{STABLE[0]}-slim"
    skopeo.move_tag(run, f"{repository}@{digest}", tagged, env)
    return tagged


def _make(folder: Path, programs: list[Path]) -> None:
    tree = folder / "root"
    _bootstrap(tree)
    shutil.copy("/etc/ssl/certs/ca-certificates.crt", tree / AUTHORITIES)
    (tree / "etc/pip.conf").write_text(_pip())
    (tree / TOOLS).mkdir(parents=True)
    for path in programs:
        shutil.copy(path, tree / TOOLS / path.name)
    labels = {"org.opencontainers.image.title": "the lab's Debian"}
    image = oci_layout.PlainImage(
        tree=tree, created=int(time.time()) // 86400 * 86400, command=("bash",), labels=labels
    )
    oci_layout.write(image, folder / "oci")
    shutil.rmtree(tree)


def _bootstrap(tree: Path) -> None:
    mirrors = machine_mirrors()
    sources = "".join(
        f"deb [signed-by={KEYRING}] {mirrors.of(suite)} {suite} main\n" for suite in STABLE
    )
    command = Command(
        argv=("mmdebstrap", "--mode=root", "--variant=minbase", "--quiet", "--skip=check/empty",
              STABLE[0], str(tree), "-"),
        timeout=900,
        stdin=sources.encode(),
        hint="mmdebstrap must be able to reach the mirror that apt uses on this machine",
    )  # fmt: skip
    run(command)


def _pip() -> str:
    """Return pip's configuration in the image: the registry that pip uses here, and its CAs."""
    argv = (sys.executable, "-m", "pip", "config", "list")
    listed = run(Command(argv=argv, timeout=60, env=_settings())).text
    # pip lists what comes from its variables as `:env:.`, and from files as `global.`.
    found = re.search(r"^(?::env:|global|install)\.index-url='(.+)'$", listed, re.MULTILINE)
    index = f"index-url = {found[1]}\n" if found else ""
    return f"[global]\ncert = /{AUTHORITIES}\n{index}"


def _settings() -> dict[str, str]:
    """Return pip's own settings of this machine, which programs are not given otherwise."""
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}
