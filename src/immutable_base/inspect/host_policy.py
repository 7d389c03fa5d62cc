"""What an image says about whose images its hosts take: its files, and what its skopeo reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from immutable_base.image.program import MountedImage
from immutable_base.model.facts import HostPolicyFacts, ProgramOutput

PATTERNS = (
    "etc/containers/policy.json",
    "usr/share/containers/policy.json",
    "etc/containers/registries.d/*",
    "usr/share/containers/registries.d/*",
    "etc/containers/registries.conf",
    "etc/containers/registries.conf.d/*.conf",
    "usr/share/containers/registries.conf",
    "usr/share/containers/registries.conf.d/*.conf",
    "usr/lib/bootc/install/*.toml",
    "etc/bootc/install/*.toml",
    "usr/lib/pki/immutable-base/*",
    "root/.config/containers/*",
    "var/roothome/.config/containers/*",
)
"""Sources: containers-policy.json(5), containers-registries.d(5), containers-registries.conf(5),
bootc-install-config(5)."""
LARGEST = 1 << 20


def read_host_policy(mounted: MountedImage, repository: str) -> HostPolicyFacts:
    """Return the files, and what the image's skopeo says of them when it is asked for an image.

    There is no network in the sandbox: a skopeo that could use every file comes as far as to ask
    for `repository` and fails at that.
    """
    return HostPolicyFacts(
        files=dict(_files(mounted.root)), repository=repository, skopeo=_ask(mounted, repository)
    )


def _files(root: Path) -> Iterable[tuple[str, str]]:
    for pattern in PATTERNS:
        for path in sorted(root.glob(pattern)):
            name = str(path.relative_to(root))
            if path.is_symlink():
                target = path.readlink()
                absolute = target.is_absolute()
                path = root / target.relative_to("/") if absolute else path.parent / target  # noqa: PLW2901  where it leads
            if path.is_file() and path.resolve().is_relative_to(root.resolve()):
                yield name, path.read_bytes()[:LARGEST].decode("utf-8", "replace")


def _ask(mounted: MountedImage, repository: str) -> ProgramOutput | None:
    if not (mounted.root / "usr/bin/skopeo").exists():
        return None
    # /tmp is the sandbox's own.
    return mounted.ask("skopeo", "copy", f"docker://{repository}/any:tag", "dir:/tmp/none")
