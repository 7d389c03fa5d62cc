"""What a build step sees at /run/build/input: exactly its packages, and how to install them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.build.inputs import BuildInputs
from immutable_base.build.packages import Store
from immutable_base.documents import step_name
from immutable_base.model.plan import LOCAL, Package
from immutable_base.tools.createrepo import create_repository

TARGET = "/run/build/input"

# gpgcheck=0: signatures were verified by build/packages.py, see there. No plugins, no other
# repositories, no weak dependencies: the plan has solved this transaction, dnf carries it out.
# Everything that dnf would remember goes to /run/build, a tmpfs during a step.
DNF_CONF = """\
[main]
assumeyes=1
best=1
cachedir=/run/build/dnf/cache
gpgcheck=0
install_weak_deps=0
keepcache=0
logdir=/run/build/dnf/log
persistdir=/run/build/dnf/persist
pluginpath=/run/build/dnf/plugins
plugins=0
reposdir=/run/build/dnf/repos
zchunk=0
"""
REPOSITORY = """
[{name}]
name={name}
baseurl=file://{target}/{name}/
gpgcheck=0
metadata_expire=0
module_hotfixes=1
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a mount holds."""

    packages: Sequence[Package]
    """Of repositories: all that the transaction needs. `local` ones come in `local`."""
    requests: dict[str, tuple[str, ...]]
    """File name to the exact names that dnf is asked for."""
    epoch: int
    local: Sequence[Path] = field(default_factory=tuple)
    """Packages that our builder made."""
    files: Mapping[str, bytes] = field(default_factory=dict)
    """Other files, by their paths below the mount."""


def make_mount(inputs: BuildInputs, store: Store, name: str, content: Content) -> Path:
    """Make the folder for one build step, from nothing.

    Raises what fetching a package raised, if it is not there.
    """
    folder = inputs.run_folder / "mount" / step_name(name)
    shutil.rmtree(folder, ignore_errors=True)
    (folder / "packages").mkdir(parents=True)
    for package in content.packages:
        if package.repository != LOCAL:
            os.link(store.path(package), folder / "packages" / package.file_name)
    repositories = ["packages"]
    if content.local:
        repositories.append(LOCAL)
        (folder / LOCAL).mkdir()
        for path in content.local:
            os.link(path, folder / LOCAL / path.name)
    conf = DNF_CONF
    for repository in repositories:
        create_repository(inputs.storage.run, folder / repository, epoch=content.epoch)
        conf += REPOSITORY.format(name=repository, target=TARGET)
    (folder / "dnf.conf").write_text(conf)
    for request, names in content.requests.items():
        (folder / request).write_text("".join(f"{item}\n" for item in names))
    for place, raw in content.files.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_bytes(raw)
    shutil.copytree(inputs.layers_folder / "scripts", folder / "bin")
    normalise(folder)
    return folder


def copy_context(inputs: BuildInputs, layer: str, name: str) -> Path:
    """Copy a layer's folder for COPY, with modes that do not depend on anybody's umask."""
    folder = inputs.run_folder / "context" / step_name(name)
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(inputs.layers_folder / layer, folder, symlinks=True)
    normalise(folder)
    return folder


def normalise(folder: Path) -> None:
    """Give folders and executable files the mode 0755, other files 0644."""
    for path in (folder, *folder.rglob("*")):
        if path.is_symlink():
            continue
        executable = path.is_dir() or path.stat().st_mode & 0o100
        # Fetched packages are hard links: their mode is 0644 already.
        path.chmod(0o755 if executable else 0o644)
