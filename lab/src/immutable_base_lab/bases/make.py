"""Stand-in bootc bases: real dnf, rpm, systemd and ostree over Debian content."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from immutable_base.errors import HostError
from immutable_base.process import Command, LineSink, run
from immutable_base.tools import skopeo
from immutable_base_lab.bases import release_packages
from immutable_base_lab.core import cache
from immutable_base_lab.core.files import copy_data, remove
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import SigningKey, signing_key
from immutable_base_lab.debian import catalogue, root
from immutable_base_lab.debian.catalogue import Distribution

FORMAT = 2
FILES = Path(__file__).parent / "files"
KERNEL = ("kernel", "kernel-core", "kernel-modules-core", "kernel-modules")
# Top-level folders of an ostree deployment that are links into the machine's own /var.
INTO_VAR = {
    "home": "var/home", "mnt": "var/mnt", "opt": "var/opt", "root": "var/roothome",
    "srv": "var/srv",
}  # fmt: skip
EMPTY = ("boot", "dev", "proc", "run", "sys", "sysroot", "tmp", "var")
WORK = f"{root.TEMPORARY}/work"
TOOLS = f"{root.TEMPORARY}/tools"
REPOSITORY = f"{WORK}/repo"


def make_bases(paths: LabPaths, files_url: str, report: LineSink) -> None:
    """Make each stand-in base as an OCI folder, unless it is there.

    `files_url`: the address of `rpms/`, which goes into the base's .repo files. Needs the package
    repositories and the program ostree-ext-cli. Raises CommandError, HostError.
    """
    with signing_key(paths.rpm_key) as key:
        for name, stream in catalogue.load().streams.items():
            decides = cache.key_of(
                FORMAT, key.fingerprint, stream.model_dump(), files_url,
                (paths.package_record / cache.KEY_FILE).read_text(),
            )  # fmt: skip
            cache.ensure(
                paths.bases / name,
                decides,
                _maker(paths, name, stream, files_url, key, report),
            )


def publish(paths: LabPaths, registry: str, report: LineSink) -> None:
    """Push each base to the lab's registry, at `host:port`. Raises RemoteError."""
    for name, stream in catalogue.load().streams.items():
        reference = f"{registry}/{stream.reference}"
        report(f"pushing {reference}")
        trust = {"SSL_CERT_FILE": str(paths.trust / "ca.pem")}
        skopeo.push(run, paths.bases / name / "oci", reference, trust)


def _maker(
    paths: LabPaths,
    name: str,
    stream: Distribution,
    files_url: str,
    key: SigningKey,
    report: LineSink,
) -> Callable[[Path], None]:
    def make_folder(folder: Path) -> None:
        tree = folder / "rootfs"
        report(f"base {stream.reference}: copying the root")
        run(Command(argv=("cp", "-a", str(paths.debian_tree), str(tree)), timeout=600))
        own = folder / "rpms"
        own.mkdir()
        release_packages.release_rpm(stream, own, key)
        release_packages.repos_rpm(stream, files_url, own, key)
        report(f"base {stream.reference}: installing packages")
        epoch = _install(paths, name, tree, own, key)
        report(f"base {stream.reference}: initramfs")
        _initramfs(tree, epoch)
        _as_deployment(tree)
        report(f"base {stream.reference}: encapsulating")
        _encapsulate(paths, folder, stream, epoch)
        shutil.rmtree(tree)

    return make_folder


def _install(paths: LabPaths, name: str, tree: Path, own: Path, key: SigningKey) -> int:
    """Fill the rpmdb; return the build time of the newest package in seconds since 1970.

    What the root holds already is only registered; kernel and release packages bring their files.
    """
    _overlay(tree)
    chosen = _chosen(paths, name)
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
    return epoch


def _newest(rpms: list[Path]) -> int:
    query = ("rpm", "--nosignature", "-qp", "--queryformat", "%{BUILDTIME}\n")
    times = run(Command(argv=(*query, *map(str, rpms)), timeout=120)).text
    return max(int(line) for line in times.split())


def _is_kernel(rpm: Path) -> bool:
    return rpm.name.rsplit("-", 2)[0] in KERNEL


def _chosen(paths: LabPaths, name: str) -> list[Path]:
    """Return the RPMs of what the root holds, and of the base's kernel."""
    document = json.loads((paths.package_record / "made.json").read_text())
    home = paths.rpms
    chosen = [home / "baseos" / rpm for rpm in document["base_packages"]]
    where, version = (
        ("baseos", document["el_kernel"]) if name == "el10"
        else ("fedora-updates", document["fedora_kernel"])
    )  # fmt: skip
    return chosen + [home / where / f"{kernel}-{version}.x86_64.rpm" for kernel in KERNEL]


def _overlay(tree: Path) -> None:
    """Add the lab's settings and make the place of the rpmdb, before the first transaction."""
    copy_data(FILES / "base" / "usr", tree / "usr")
    shutil.rmtree(tree / "var/lib/rpm", ignore_errors=True)
    (tree / "usr/lib/sysimage/rpm").mkdir(parents=True, exist_ok=True)
    for unwanted in ("etc/os-release", "usr/lib/os-release", "etc/issue", "etc/issue.net"):
        (tree / unwanted).unlink(missing_ok=True)
    (tree / "etc/debian_version").unlink(missing_ok=True)


def _initramfs(tree: Path, epoch: int) -> None:
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


def _as_deployment(tree: Path) -> None:
    """Bring a root into the form in which ostree deploys it."""
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
    for leftover in ("etc/passwd-", "etc/group-", "etc/shadow-", "etc/gshadow-", "media"):
        remove(tree / leftover)
    (tree / "etc").rename(tree / "usr/etc")


def _encapsulate(paths: LabPaths, folder: Path, stream: Distribution, epoch: int) -> None:
    """Commit the root and write it as a container image that ostree can deploy."""
    if not paths.programs.program("ostree-ext-cli").exists():
        raise HostError("ostree-ext-cli is not built", hint="run `immutable-base lab up`")
    day = datetime.fromtimestamp(epoch, UTC)
    version = f"{stream.version_id}.{day:%Y%m%d}.0"
    binds = {WORK: folder, TOOLS: paths.tools}
    env = {"SOURCE_DATE_EPOCH": str(epoch)}

    def do(*argv: str) -> None:
        root.enter(paths.debian_tree, *argv, binds=binds, env=env)

    do("ostree", "init", f"--repo={REPOSITORY}", "--mode=bare-user")
    do(
        "ostree", "commit", f"--repo={REPOSITORY}", "--branch=base", "--bootable",
        f"--tree=dir={WORK}/rootfs", f"--timestamp=@{epoch}",
        f"--add-metadata-string=version={version}",
    )  # fmt: skip
    do(
        f"{TOOLS}/bin/ostree-ext-cli", "container", "encapsulate", f"--repo={REPOSITORY}", "base",
        f"oci:{WORK}/oci", "--compression-fast", "--cmd=/sbin/init", "--label=containers.bootc=1",
        "--label=ostree.bootable=1",
        f"--label=org.opencontainers.image.version={version}",
    )  # fmt: skip
    shutil.rmtree(folder / "repo")
