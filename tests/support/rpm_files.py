"""Real rpm files: made by rpmbuild, signed by rpmsign, changed by hand."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path

from immutable_base.model.checksum import Checksum
from support.rpmmd import Signer

SPEC = """\
Name: {name}
Version: {version}
Release: {release}
Summary: A package of the tests
License: MIT
BuildArch: noarch
%description
{summary}
%prep
%build
%install
cp -r {root}/. %{{buildroot}}
%files
{files}
"""


def build_rpm(
    folder: Path,
    name: str,
    version: str = "1",
    release: str = "1",
    *,
    files: dict[str, bytes] | None = None,
    summary: str = "d",
) -> Path:
    """Build a noarch package that holds these files, by their absolute paths."""
    build = folder / f"build-{name}-{version}-{release}"
    shutil.rmtree(build, ignore_errors=True)
    root = build / "root"
    root.mkdir(parents=True)
    for path, content in (files or {}).items():
        target = root / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    spec = build / f"{name}.spec"
    spec.write_text(
        SPEC.format(
            name=name, version=version, release=release, root=root, summary=summary,
            files="\n".join(files or {}),
        )
    )  # fmt: skip
    _start(
        "rpmbuild", "-bb", "--quiet", "--define", f"_topdir {build}/top",
        "--define", f"_rpmdir {build}/rpms", str(spec),
    )  # fmt: skip
    (made,) = (build / "rpms").rglob("*.rpm")
    return made.rename(folder / made.name)


def sign_rpm(path: Path, signer: Signer, key: str | None = None) -> Path:
    """Sign a package in place, with a subkey if one is named, and return it."""
    _start(
        "rpmsign", "--addsign", "--define", "__gpg /usr/bin/gpg",
        "--define", f"_gpg_path {signer.home}", "--define", f"_gpg_name {key or signer.fingerprint}",
        str(path),
    )  # fmt: skip
    return path


def checksum(path: Path, algorithm: str = "sha256") -> Checksum:
    return Checksum.of(algorithm, hashlib.new(algorithm, path.read_bytes()).hexdigest())


def _start(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
