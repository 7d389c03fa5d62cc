"""What an image says about whose images its hosts take: its files, and what its skopeo reads."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from immutable_base.admission.settings import SHIPPED_SETTINGS
from immutable_base.image.program import MountedImage
from immutable_base.model.facts import HostPolicyFacts, ProgramOutput
from immutable_base.policy.lint_environment import sets_variable

HOMES = ("root", "var/roothome")
PATTERNS = (
    "etc/containers/policy.json",
    "usr/share/containers/policy.json",
    "etc/containers/registries.d/*",
    "usr/share/containers/registries.d/*",
    "etc/containers/registries.rootful.d/*",
    "usr/share/containers/registries.rootful.d/*",
    "etc/containers/registries.rootful.conf.d/*.conf",
    "usr/share/containers/registries.rootful.conf.d/*.conf",
    "etc/containers/registries.conf",
    "etc/containers/registries.conf.d/*.conf",
    "usr/share/containers/registries.conf",
    "usr/share/containers/registries.conf.d/*.conf",
    "usr/lib/bootc/install/*.toml",
    "etc/bootc/install/*.toml",
    "usr/lib/pki/immutable-base/*",
    *(f"{home}/.config/containers/{what}" for home in HOMES for what in ("*", "*.d/*")),
    str(SHIPPED_SETTINGS)[1:],
    "etc/immutable-base/*",
)
"""Sources: containers-policy.json(5), containers-registries.d(5), containers-registries.conf(5),
bootc-install-config(5)."""
UNITS = (
    "systemd/system/immutable-base-admission.service",
    "systemd/system/immutable-base-admission.service.d/*.conf",
    "systemd/system/bootc-fetch-apply-updates.service.d/10-immutable-base-admission.conf",
)
"""Below each folder that systemd.unit(5) names. A link to /dev/null masks: it is told as empty."""
UNIT_ROOTS = ("etc", "usr/lib", "usr/local/lib")
SYSTEMD = (
    "system.conf", "system.conf.d/*.conf", "system/service.d/*.conf",
    *(
        f"system/{unit}*.service{below}"
        for unit in ("bootc", "immutable-base-admission", "ostree", "rpm-ostree")
        for below in ("", ".d/*.conf")
    ),
)  # fmt: skip
ENVIRONMENT = (
    "etc/environment", "etc/security/pam_env.conf", "etc/profile", "etc/profile.d/*",
    "etc/default/*", "etc/sysconfig/*", "usr/lib/bootc/kargs.d/*.toml",
    *(f"{home}/.{name}" for home in HOMES for name in ("bashrc", "bash_profile", "profile")),
    *(f"{folder}/systemd/{name}" for folder in UNIT_ROOTS for name in SYSTEMD),
)  # fmt: skip
"""Read too, and kept if they set a variable that leads elsewhere. Sources: systemd.exec(5),
systemd-system.conf(5), pam_env(8), and bash(1) for who types `bootc upgrade`."""
LARGEST = 1 << 20
PROGRAM = "immutable-base-admission"


def read_host_policy(mounted: MountedImage, repository: str) -> HostPolicyFacts:
    """Return the files, and what the image's skopeo says of them when it is asked for an image.

    There is no network in the sandbox: a skopeo that could use every file comes as far as to ask
    for `repository` and fails at that.
    """
    return HostPolicyFacts(
        files={
            **dict(_files(mounted.root)),
            **dict(_units(mounted.root)),
            **dict(_environment(mounted.root)),
        },
        repository=repository,
        skopeo=_ask(mounted, repository),
        admission=_ask_program(mounted),
    )


def _files(root: Path) -> Iterable[tuple[str, str]]:
    for pattern in PATTERNS:
        for path in sorted(root.glob(pattern)):
            text = _text(root, path)
            if text is not None:
                yield str(path.relative_to(root)), text
    # Even an empty one counts instead of the system's.
    for home in HOMES:
        name = f"{home}/.config/containers/registries.d"
        if (root / name).is_dir():
            yield f"{name}/", ""


def _units(root: Path) -> Iterable[tuple[str, str]]:
    for folder in UNIT_ROOTS:
        for pattern in UNITS:
            for path in sorted((root / folder).glob(pattern)):
                yield str(path.relative_to(root)), _text(root, path) or ""


def _environment(root: Path) -> Iterable[tuple[str, str]]:
    for pattern in ENVIRONMENT:
        for path in sorted(root.glob(pattern)):
            text = _text(root, path)
            if text is not None and sets_variable(text) is not None:
                yield str(path.relative_to(root)), text


def _text(root: Path, path: Path) -> str | None:
    """Return a file's text, None if it is none or leads out of the image."""
    if path.is_symlink():
        target = path.readlink()
        path = root / target.relative_to("/") if target.is_absolute() else path.parent / target
    if path.is_file() and path.resolve().is_relative_to(root.resolve()):
        return path.read_bytes()[:LARGEST].decode("utf-8", "replace")
    return None


def _ask(mounted: MountedImage, repository: str) -> ProgramOutput | None:
    if not (mounted.root / "usr/bin/skopeo").exists():
        return None
    # /tmp is the sandbox's own.
    return mounted.ask("skopeo", "copy", f"docker://{repository}/any:tag", "dir:/tmp/none")


def _ask_program(mounted: MountedImage) -> ProgramOutput | None:
    """Start the program as the layer's last step does; a later layer may have broken it."""
    if not (mounted.root / "usr/bin" / PROGRAM).exists():
        return None
    return mounted.ask(PROGRAM, "--help")
