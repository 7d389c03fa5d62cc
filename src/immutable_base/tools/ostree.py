"""ostree's container support: an image becomes a deployment, as `bootc install` makes it.

It is asked as the image itself has it: bootc brings `ostree-container` along, which is bootc under
another name (bootc's Makefile, `install-ostree-hooks`). It needs no loop device and no boot loader.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

CONTAINER = "usr/libexec/libostree/ext/ostree-container"
"""Where `ostree container` finds it; below the image's root."""
STATEROOT = "default"
"""bootc's own name for it."""


def has_container(root: Path) -> bool:
    """Tell whether an image can deploy images."""
    return (root / CONTAINER).exists()


def init_commands(sysroot: str) -> tuple[Sequence[str], ...]:
    """Return the commands that make an empty sysroot. Source: ostree-admin(1)."""
    return (
        ("ostree", "admin", "init-fs", "--modern", sysroot),
        ("ostree", "admin", "os-init", STATEROOT, f"--sysroot={sysroot}"),
    )


def deploy_command(
    sysroot: str, *, source: str, origin: str, arguments: Sequence[str]
) -> Sequence[str]:
    """Return the command that deploys an image.

    `source`: where it is read from, with its transport; `origin`: where the host will look for
    updates; `arguments`: the kernel's.
    """
    return (
        f"/{CONTAINER}", "container", "image", "deploy", f"--sysroot={sysroot}",
        f"--stateroot={STATEROOT}", f"--imgref={source}", f"--target-imgref={origin}",
        *(f"--karg={argument}" for argument in arguments),
    )  # fmt: skip
