"""The packages that say which distribution a stand-in base is, and where its packages are."""

from __future__ import annotations

import shutil
from pathlib import Path

from immutable_base_lab.core.files import copy_data
from immutable_base_lab.core.signing_key import SigningKey
from immutable_base_lab.core.templates import load_templates
from immutable_base_lab.debian.catalogue import Distribution
from immutable_base_lab.programs import ostree
from immutable_base_lab.rpms import package
from immutable_base_lab.rpms.package import Recipe

_templates = load_templates("immutable_base_lab.bases", keep_trailing_newline=True)
FILES = Path(__file__).parent / "files"
# No date decides anything here; one fixed second keeps the packages the same.
MTIME = 1_700_000_000
CONTAINER = "usr/libexec/libostree/ext/ostree-container"


def release_rpm(stream: Distribution, folder: Path, key: SigningKey) -> Path:
    """Make the package behind `$releasever`: os-release and the presets of units."""
    tree = folder / "release.tree"
    copy_data(FILES / "release", tree)
    text = _templates.get_template("os-release.j2").render(stream=stream)
    _write(tree / "usr/lib/os-release", text)
    _write(tree / "etc/system-release", f"{stream.name} release {stream.version_id} (lab)\n")
    (tree / "etc/os-release").symlink_to("../usr/lib/os-release")
    version = stream.version_id
    recipe = Recipe(
        name=stream.release_package,
        version=version,
        release="1",
        arch="noarch",
        summary=f"{stream.name} {version} release files (lab stand-in)",
        license="Apache-2.0",
        provides=(f"system-release = {version}", f"system-release(releasever) = {version}"),
        mtime=MTIME,
    )
    return package.build(recipe, tree, folder, key)


def repos_rpm(stream: Distribution, files_url: str, folder: Path, key: SigningKey) -> Path:
    """Make the package that holds the .repo file and the key."""
    tree = folder / "repos.tree"
    text = _templates.get_template("repos.j2").render(stream=stream, files_url=files_url)
    _write(tree / f"etc/yum.repos.d/{stream.id}.repo", text)
    _write(tree / "etc/pki/rpm-gpg/RPM-GPG-KEY-lab", key.public.read_text())
    recipe = Recipe(
        name=stream.repos_package,
        version=stream.version_id,
        release="1",
        arch="noarch",
        summary=f"{stream.name} package repositories (lab)",
        license="Apache-2.0",
        requires=(f"system-release = {stream.version_id}",),
        config=frozenset({f"/etc/yum.repos.d/{stream.id}.repo"}),
        mtime=MTIME,
    )
    return package.build(recipe, tree, folder, key)


def container_rpm(program: Path, folder: Path, key: SigningKey) -> Path:
    """Make the package that stands in for bootc: `ostree container`, by which a host is upgraded.

    bootc's own package has it under the same name, as a link to bootc (bootc's Makefile).
    """
    tree = folder / "container.tree"
    target = tree / CONTAINER
    target.parent.mkdir(parents=True)
    shutil.copyfile(program, target)
    target.chmod(0o755)
    recipe = Recipe(
        name="ostree-ext",
        version=ostree.VERSION,
        release="1",
        arch="x86_64",
        summary="The container stack of bootc, without bootc (lab)",
        license="MIT OR Apache-2.0",
        requires=("ostree", "skopeo"),
        mtime=MTIME,
    )
    return package.build(recipe, tree, folder, key)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
