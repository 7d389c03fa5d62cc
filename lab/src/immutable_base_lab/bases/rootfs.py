"""From a Debian root to the root of a stand-in base: its rpmdb, its kernel, its shape."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterable
from pathlib import Path

from immutable_base.process import Command, run
from immutable_base_lab.core.files import copy_data, remove
from immutable_base_lab.core.signing_key import SigningKey
from immutable_base_lab.debian import root

FILES = Path(__file__).parent / "files"
KERNEL = ("kernel", "kernel-core", "kernel-modules-core", "kernel-modules")
# Top-level folders of an ostree deployment that are links into the machine's own /var.
INTO_VAR = {
    "home": "var/home", "mnt": "var/mnt", "opt": "var/opt", "root": "var/roothome",
    "srv": "var/srv",
}  # fmt: skip
RPMDB = "usr/share/rpm"
"""Where ostree bases have it; the other places are links, with their targets. Source: rpm-ostree,
rust/src/composepost.rs."""
RPMDB_LINKS = {"usr/lib/sysimage/rpm": "../../share/rpm", "var/lib/rpm": "../../usr/share/rpm"}
PREPARE_ROOT = "usr/lib/ostree/prepare-root.conf"
COMPOSEFS = """
[composefs]
enabled = yes
"""
NETWORK = "systemd-networkd.service"
NOT_ENABLED = ("e2scrub_reap.service", "e2scrub_all.timer")
"""Units that are enabled in Debian, and by no preset of EL's."""
EMPTY = ("boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var")


def copy_root(debian_tree: Path, tree: Path) -> None:
    """Copy a Debian root, which stays as it is. Raises CommandError."""
    run(Command(argv=("cp", "-a", str(debian_tree), str(tree)), timeout=600))


def install(tree: Path, chosen: Iterable[Path], own: Path, key: SigningKey) -> int:
    """Fill the rpmdb; return the build time of the newest package in seconds since 1970.

    `chosen`: RPMs of what the root holds already, which are only registered, and of its kernel,
    which brings its files, as the packages in the folder `own` do. Raises CommandError.
    """
    chosen = list(chosen)
    overlay(tree)
    if has_composefs(root.enter(tree, "ostree", "--version")):
        with (tree / PREPARE_ROOT).open("a") as file:
            file.write(COMPOSEFS)
    epoch = _newest(chosen)
    (own / "chosen").mkdir()
    for rpm in chosen:
        os.link(rpm, own / "chosen" / rpm.name)
    shutil.copyfile(key.public, own / "key.asc")
    at = f"{root.TEMPORARY}/rpms"
    registered = [f"{at}/chosen/{rpm.name}" for rpm in chosen if not _is_kernel(rpm)]
    installed = [f"{at}/chosen/{rpm.name}" for rpm in chosen if _is_kernel(rpm)]
    installed += [f"{at}/{rpm.name}" for rpm in sorted(own.glob("*.rpm"))]
    for arguments in (
        ("--initdb",),
        ("--import", f"{at}/key.asc"),
        ("--install", "--justdb", "--nodeps", "--noscripts", *registered),
        ("--install", "--replacefiles", *installed),
    ):
        env = {"SOURCE_DATE_EPOCH": str(epoch)}
        root.enter(tree, "rpm", *arguments, binds={at: own}, env=env)
    # As the scriptlets of EL's packages do; the root's own units came without any.
    root.enter(tree, "systemctl", "preset", NETWORK)
    root.enter(tree, "systemctl", "disable", *NOT_ENABLED)
    return epoch


def _newest(rpms: list[Path]) -> int:
    query = ("rpm", "--nosignature", "-qp", "--queryformat", "%{BUILDTIME}\n")
    times = run(Command(argv=(*query, *map(str, rpms)), timeout=120)).text
    return max(int(line) for line in times.split())


def _is_kernel(rpm: Path) -> bool:
    return rpm.name.rsplit("-", 2)[0] in KERNEL


def has_composefs(version: str) -> bool:
    """Tell whether a libostree was built with composefs, by what `ostree --version` prints.

    One that was not refuses to deploy an image that demands it.
    """
    return "composefs" in re.findall(r"^ +- (\S+)$", version, re.MULTILINE)


def overlay(tree: Path) -> None:
    """Add the lab's settings and make the place of the rpmdb, before the first transaction."""
    copy_data(FILES / "base" / "usr", tree / "usr")
    (tree / RPMDB).mkdir(parents=True, exist_ok=True)
    _link_rpmdb(tree)
    for unwanted in ("etc/os-release", "usr/lib/os-release", "etc/issue", "etc/issue.net"):
        (tree / unwanted).unlink(missing_ok=True)
    (tree / "etc/debian_version").unlink(missing_ok=True)


def _link_rpmdb(tree: Path) -> None:
    for name, target in RPMDB_LINKS.items():
        remove(tree / name)
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).symlink_to(target)


def make_initramfs(tree: Path, epoch: int) -> None:
    """Let the root's own dracut make the initramfs of its kernel. Raises CommandError."""
    (modules,) = (path.parent for path in tree.glob("usr/lib/modules/*/vmlinuz"))
    kernel = modules.name
    root.enter(tree, "depmod", "-a", kernel)
    image = f"/usr/lib/modules/{kernel}/initramfs.img"
    env = {"SOURCE_DATE_EPOCH": str(epoch), "DRACUT_NO_XATTR": "1"}
    # Not /var/tmp, dracut's default: it is emptied, and this one is a file system of its own.
    root.enter(
        tree,
        "dracut",
        "--force",
        "--tmpdir",
        root.TEMPORARY,
        "--kver",
        kernel,
        image,
        env=env,
    )
    (tree / image[1:]).chmod(0o600)


def shape(tree: Path) -> None:
    """Bring a root into the shape of a bootc base: links into /var, nothing of one machine."""
    for name in (*INTO_VAR, *EMPTY):
        remove(tree / name)
    for name, target in INTO_VAR.items():
        (tree / name).symlink_to(target)
    for name in EMPTY:
        (tree / name).mkdir()
    (tree / "tmp").chmod(0o1777)
    (tree / "ostree").symlink_to("sysroot/ostree")
    for name in ("etc/machine-id", "etc/resolv.conf", "etc/hostname"):
        (tree / name).unlink(missing_ok=True)
    (tree / "etc/machine-id").touch(mode=0o444)
    _link_rpmdb(tree)
    for leftover in ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "media"):
        remove(tree / leftover)
