"""The base image of the tiny stream: made as the others, from less."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

from immutable_base.process import LineSink
from immutable_base_lab.bases import release_packages, rootfs
from immutable_base_lab.bases.encapsulate import container_program, encapsulate
from immutable_base_lab.bases.labels import base_labels
from immutable_base_lab.core import cache
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.core.signing_key import SigningKey, signing_key
from immutable_base_lab.programs import ostree
from immutable_base_lab.scenarios import pendulum, tiny_content
from immutable_base_lab.scenarios.tiny_content import REPOSITORY

FORMAT = 5


def make_base(paths: LabPaths, files_url: str, report: LineSink) -> None:
    """Make the base as an OCI layout, unless it is there.

    `files_url`: the address of `rpms/`, which goes into its .repo file. Needs the repositories of
    the tiny stream. Raises CommandError.
    """
    stream = tiny_content.load().stream
    with signing_key(paths.rpm_key) as key:
        decides = cache.key_of(
            FORMAT, ostree.key(), key.fingerprint, stream.model_dump(), files_url,
            (paths.tiny_record / cache.KEY_FILE).read_text(),
        )  # fmt: skip
        cache.ensure(
            paths.tiny_base, decides, lambda folder: _make(paths, folder, files_url, key, report)
        )


def _make(paths: LabPaths, folder: Path, files_url: str, key: SigningKey, report: LineSink) -> None:
    stream = tiny_content.load().stream
    tree, own = folder / "rootfs", folder / "rpms"
    report("copying the root")
    rootfs.copy_root(paths.tiny_root / "root", tree)
    own.mkdir()
    release_packages.release_rpm(stream, own, key)
    release_packages.repos_rpm(stream, files_url, own, key)
    release_packages.container_rpm(container_program(paths), own, key)
    pendulum.installed_rpm(own, key)
    report("installing packages")
    epoch = rootfs.install(tree, _chosen(paths), own, key)
    report("initramfs")
    rootfs.make_initramfs(tree, epoch)
    rootfs.shape(tree)
    report("encapsulating")
    encapsulate(paths.tiny_root / "root", paths.tools, folder, base_labels(stream, epoch), epoch)
    shutil.rmtree(own)


def _chosen(paths: LabPaths) -> list[Path]:
    """Return the RPMs of what the root holds, and of the base's kernel."""
    document = json.loads((paths.tiny_record / "made.json").read_text())
    names = [
        *document["base_packages"],
        *(f"{kernel}-{document['kernel']['evr']}.x86_64.rpm" for kernel in rootfs.KERNEL),
    ]
    return [paths.rpms / REPOSITORY / name for name in names]
