"""Put the files that tell a host whose images to take into an image."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

from immutable_base.build import admission_files
from immutable_base.config.trust import TrustSettings
from immutable_base.errors import CheckError
from immutable_base.policy.host_trust import HostTrust
from immutable_base.policy.render import POLICY, SHARED_POLICY, render_files


def write_host_trust(root: Path, trust: HostTrust) -> list[str]:
    """Write them below an image's root and return their paths; what the base says is kept.

    Raises CheckError if the base's policy cannot be read, or a folder on the way is a link out of
    the image.
    """
    files = render_files(trust, _base_policy(root))
    _write(root, {name: text.encode() for name, text in files.items()})
    return sorted(files)


def admits(root: Path) -> bool:
    """Tell whether an image has the program that admits images on hosts."""
    return (root / admission_files.FOLDER / admission_files.SETTINGS).is_file()


def write_whom_to_admit(root: Path, trust: TrustSettings, folder: Path, epoch: int) -> None:
    """Let an image that has the program admit what `trust` says, and nothing of what it admitted.

    Relative paths of `trust` begin at `folder`; `epoch` is the image's, as for `settings_files`.
    Raises ConfigurationError if a file that it names cannot be read, CheckError if a folder on the
    way is a link out of the image.
    """
    files = admission_files.settings_files(trust, folder, epoch)
    place = _inside(root, admission_files.FOLDER)
    if place.is_symlink():  # What it leads to is not ours.
        place.unlink()
    else:
        shutil.rmtree(place)
    place.mkdir()
    place.chmod(0o755)
    _write(root, files)


def _write(root: Path, files: Mapping[str, bytes]) -> None:
    """Write files with the mode 0644. Every one is new: a link in its place is not followed."""
    for name, content in files.items():
        path = _inside(root, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.unlink(missing_ok=True)
        path.write_bytes(content)
        path.chmod(0o644)


def _inside(root: Path, name: str) -> Path:
    """Return a path below an image's root; raises CheckError if its folder leads out of it."""
    path = root / name
    if not path.parent.resolve().is_relative_to(root.resolve()):
        raise CheckError(f"/{Path(name).parent} of the image leads out of the image")
    return path


def policy_files(root: Path) -> dict[str, str]:
    """Return the policy that counts in an image, by its path; empty if it has none."""
    text = _base_policy(root)
    return {} if text is None else {POLICY: text}


def _base_policy(root: Path) -> str | None:
    """Return the policy that counts in an image; source: containers-policy.json(5)."""
    for name in (POLICY, SHARED_POLICY):
        path = root / name
        if path.is_symlink():
            target = path.readlink()
            path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
        if path.is_file() and path.resolve().is_relative_to(root.resolve()):
            return path.read_text("utf-8", "replace")
    return None
