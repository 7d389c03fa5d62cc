"""What the lab's services hold: package repositories and base images."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from functools import partial

import httpx

from immutable_base.process import LineSink
from immutable_base.schedule import Node
from immutable_base_lab.bases import make
from immutable_base_lab.core.nodes import make_node
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.debian import catalogue
from immutable_base_lab.rpms import container_toolkit, repositories


def content_nodes(paths: LabPaths, files_url: str) -> Iterator[Node]:
    """Yield the steps that make repositories and bases; those made already take no time.

    `files_url` is the address of the file server, which bases name.
    """
    yield make_node(
        "package repositories",
        partial(repositories.make_repositories, paths),
        lane="pack",
        usual_seconds=0 if paths.package_record.exists() else 600,
    )
    yield make_node(
        "repository of the container toolkit",
        lambda _report: container_toolkit.make_repository(paths),
        lane="pack",
        needs=("build nvidia-container-toolkit", "package repositories"),
    )
    yield make_node(
        "base images",
        partial(make.make_bases, paths, files_url),
        lane="pack",
        needs=("build ostree-ext-cli", "package repositories"),
        usual_seconds=0 if paths.bases.exists() else 180,
    )


def publish_bases(paths: LabPaths, registry: str, report: LineSink) -> None:
    """Push the bases unless the registry has them as they are.

    `registry` is `host:port`. Raises RemoteError if the registry refuses one.
    """
    known = catalogue.load().streams
    if not all(_is_published(paths, registry, name, it.reference) for name, it in known.items()):
        make.publish(paths, registry, report)


def _is_published(paths: LabPaths, registry: str, name: str, reference: str) -> bool:
    index = json.loads((paths.bases / name / "oci" / "index.json").read_text())
    wanted = index["manifests"][0]
    repository, _, tag = reference.rpartition(":")
    response = httpx.head(
        f"https://{registry}/v2/{repository}/manifests/{tag}",
        headers={"Accept": wanted["mediaType"]},
        verify=ssl.create_default_context(cafile=paths.trust / "ca.pem"),
        trust_env=False,
    )
    return bool(response.headers.get("Docker-Content-Digest") == wanted["digest"])
