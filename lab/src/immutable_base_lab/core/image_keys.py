"""Keys that sign images beside the keyless identity: the current one, and the next.

Made by cosign itself, as its users do.
"""

from __future__ import annotations

import secrets
from pathlib import Path

from immutable_base.process import Command, run
from immutable_base_lab.core import cache
from immutable_base_lab.core.files import write_private
from immutable_base_lab.core.paths import LabPaths

VARIABLE = "IMMUTABLE_BASE_SIGNING_KEY"
SLOTS = ("current", "next")
PASSWORD = "password"  # noqa: S105  the name of a file


def ensure_image_keys(paths: LabPaths) -> None:
    """Make `current.key`, `next.key`, their `.pub` and `password` unless they are there.

    Raises CommandError.
    """
    cosign = paths.programs.program("cosign")
    key = cache.key_of("image keys", 1)
    cache.ensure(paths.image_keys, key, lambda folder: _make(folder, cosign))


def product_settings(paths: LabPaths) -> dict[str, object]:
    """Return the table `signing.keys` of the product's configuration."""
    return {
        "key": f"env://{VARIABLE}",
        "key_paths": [str(paths.image_keys / f"{slot}.pub") for slot in SLOTS],
    }


def environment(paths: LabPaths, slot: str = SLOTS[0]) -> dict[str, str]:
    """Return what a job needs to sign with a key; nothing if there are no keys."""
    folder = paths.image_keys
    password = folder / PASSWORD
    if not password.is_file():
        return {}
    return {VARIABLE: str(folder / f"{slot}.key"), "COSIGN_PASSWORD": password.read_text()}


def _make(folder: Path, cosign: Path) -> None:
    folder.chmod(0o700)
    password = secrets.token_hex(16)
    write_private(folder / PASSWORD, password)
    for slot in SLOTS:
        argv = (str(cosign), "generate-key-pair", f"--output-key-prefix={slot}")
        run(Command(argv=argv, timeout=60, cwd=folder, env={"COSIGN_PASSWORD": password}))
