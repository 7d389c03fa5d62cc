"""What is read from the CI image: its configuration, its own answers, and files with secrets."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import VerificationError, foreign_data
from immutable_base.image.oci import read_json
from immutable_base.image.program import MountedImage
from immutable_base.instance.contract import load_contract
from immutable_base.model.facts import ProgramOutput

PROGRAM = "/opt/immutable-base/bin/immutable-base"
CONFIGURATION = Path(load_contract().configuration)
"""What the jobs of instances go by."""
SHIPPED = (CONFIGURATION, CONFIGURATION.parent / "layers/scripts/clean")
"""The latter ends the build of every instance."""
ASK_DOCTOR = (
    f"exec {PROGRAM} doctor --format=json --config={CONFIGURATION} --workspace=/tmp/workspace"
)
LOGINS = (".docker/config.json", ".config/containers/auth.json", ".netrc", ".ssh", ".gitconfig",
          ".git-credentials", ".pypirc", ".npmrc", ".config/gcloud", ".aws")  # fmt: skip
"""Below a home, and in the root: where programs keep logins and keys."""
HOMES = ("root", "home/*", "source", "builds/*")
PRIVATE_KEY = re.compile(
    rb"-----BEGIN [A-Z ]*PRIVATE KEY-----\s+(?:[A-Za-z-]+: .*\s+)*[A-Za-z0-9+/=]{40}"
)
"""A key and not only its name, which programs that read keys have. Source: RFC 7468; OpenSSH's
PROTOCOL.key."""
LOGIN_IN_URL = re.compile(rb"https?://[^/\s:@\"'<>{}$]+:[^/\s@\"'<>{}$]+@[a-z0-9]")
LARGEST = 1 << 20
"""Bytes of a file that is searched for a key; none is larger."""
SYSTEM = frozenset({"proc", "sys", "dev"})


@dataclass(frozen=True, slots=True, kw_only=True)
class CiImageFacts:
    """What was read from an image."""

    user: str
    """Of its configuration; empty: root."""
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    version: ProgramOutput
    doctor: ProgramOutput
    """`doctor --format json` on the shipped configuration, without a mount or a namespace."""
    missing: tuple[str, ...]
    """Files of that configuration that are not there."""
    secrets: tuple[str, ...]
    """Files that hold a key or a login, and why."""


def read_image(layout: Path, digest: str, image: MountedImage) -> CiImageFacts:
    """Return what an image says and holds; `layout` has its configuration.

    Raises VerificationError if that is not one.
    """
    with foreign_data(f"the configuration in {layout}", VerificationError):
        manifest = read_json(layout, digest)
        config = read_json(layout, manifest["config"]["digest"])["config"]
        user, labels = str(config.get("User") or ""), dict(config.get("Labels") or {})
        environment = dict(str(it).split("=", 1) for it in config.get("Env") or [])
    path = environment.get("PATH", "")
    return CiImageFacts(
        user=user,
        environment=environment,
        labels=labels,
        version=image.ask("/usr/bin/env", f"PATH={path}", "immutable-base", "--version"),
        doctor=image.ask("/usr/bin/env", f"PATH={path}", "HOME=/root", "sh", "-c", ASK_DOCTOR),
        missing=tuple(
            str(path) for path in SHIPPED if not (image.root / path.relative_to("/")).is_file()
        ),
        secrets=tuple(sorted(find_secrets(image.root))),
    )


def find_secrets(root: Path) -> Iterator[str]:
    """Yield the files below a root that hold a login or a private key; links are not followed."""
    homes = [root, *(found for pattern in HOMES for found in root.glob(pattern))]
    for home in homes:
        there = [name for name in LOGINS if os.path.lexists(home / name)]
        yield from (f"{(home / name).relative_to(root)}: a login" for name in there)
    for folder, names, files in os.walk(root):
        if Path(folder) == root:
            names[:] = [name for name in names if name not in SYSTEM]
        for path in (Path(folder) / name for name in files):
            status = path.lstat()
            if not stat.S_ISREG(status.st_mode) or status.st_size > LARGEST:
                continue
            name, content = str(path.relative_to(root)), path.read_bytes()
            if PRIVATE_KEY.search(content):
                yield f"{name}: a private key"
            if name.startswith("etc/") and LOGIN_IN_URL.search(content):
                yield f"{name}: a login in an address"
