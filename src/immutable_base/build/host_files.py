"""Put the files that tell a host whose images to take into an image."""

from __future__ import annotations

from pathlib import Path

from immutable_base.errors import CheckError
from immutable_base.policy.host_trust import HostTrust
from immutable_base.policy.render import POLICY, SHARED_POLICY, render_files


def write_host_trust(root: Path, trust: HostTrust) -> list[str]:
    """Write them below an image's root and return their paths; what the base says is kept.

    Every file is new, with the mode 0644: a link in its place is replaced, not followed. Raises
    CheckError if the base's policy cannot be read, or a folder on the way is a link out of the
    image.
    """
    files = render_files(trust, _base_policy(root))
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.parent.resolve().is_relative_to(root.resolve()):
            raise CheckError(f"/{Path(name).parent} of the image leads out of the image")
        path.unlink(missing_ok=True)
        path.write_text(text)
        path.chmod(0o644)
    return sorted(files)


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
