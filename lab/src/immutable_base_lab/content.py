"""What the lab's services hold: package repositories and base images."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import httpx

from immutable_base.model.reference import Reference
from immutable_base.process import LineSink, run
from immutable_base.schedule import Node
from immutable_base.tools import skopeo
from immutable_base_lab.bases import make
from immutable_base_lab.core.nodes import make_node
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.debian import catalogue
from immutable_base_lab.programs import steps
from immutable_base_lab.rpms import container_toolkit, repositories
from immutable_base_lab.scenarios import tiny_base, tiny_content, tiny_packages
from immutable_base_lab.scenarios.scenario import Universe


def all_nodes(paths: LabPaths, files_url: str, universe: Universe) -> Iterator[Node]:
    """Yield the steps that make programs, repositories and bases.

    Programs that are built are left out; what else is made already takes no time. `files_url` is
    the address of the file server, which bases name.
    """
    yield from steps.program_nodes(paths, universe.programs)
    yield from steps.ostree_nodes(paths)
    match universe:
        case Universe.FULL:
            yield from _full_nodes(paths, files_url)
        case Universe.TINY:
            yield from _tiny_nodes(paths, files_url)


def _full_nodes(paths: LabPaths, files_url: str) -> Iterator[Node]:
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


def _tiny_nodes(paths: LabPaths, files_url: str) -> Iterator[Node]:
    yield make_node(
        "tiny package repositories",
        partial(tiny_packages.make_repositories, paths),
        lane="pack",
        usual_seconds=0 if paths.tiny_record.exists() else 120,
    )
    yield make_node(
        "tiny base image",
        partial(tiny_base.make_base, paths, files_url),
        lane="pack",
        needs=("build ostree-ext-cli", "tiny package repositories"),
        usual_seconds=0 if paths.tiny_base.exists() else 40,
    )


def base_layouts(paths: LabPaths, universe: Universe) -> dict[str, Path]:
    """Return the OCI layout of each base, by its repository and tag in the registry."""
    match universe:
        case Universe.FULL:
            known = catalogue.load().streams
            return {it.reference: paths.bases / name / "oci" for name, it in known.items()}
        case Universe.TINY:
            return {tiny_content.load().stream.reference: paths.tiny_base / "oci"}


def publish_bases(paths: LabPaths, registry: str, universe: Universe, report: LineSink) -> None:
    """Push the bases unless the registry has them as they are.

    `registry` is `host:port`. Raises RemoteError if the registry refuses one.
    """
    authority = paths.trust / "ca.pem"
    for reference, layout in base_layouts(paths, universe).items():
        if not _is_published(layout, registry, reference, authority):
            report(f"pushing {registry}/{reference}")
            skopeo.push(run, layout, f"{registry}/{reference}", {"SSL_CERT_FILE": str(authority)})


def _is_published(layout: Path, registry: str, reference: str, authority: Path) -> bool:
    index = json.loads((layout / "index.json").read_text())
    wanted = index["manifests"][0]
    named = Reference.parse(f"{registry}/{reference}")
    response = httpx.head(
        f"https://{registry}/v2{named.repository.removeprefix(registry)}/manifests/{named.tag}",
        headers={"Accept": wanted["mediaType"]},
        verify=ssl.create_default_context(cafile=authority),
        trust_env=False,
    )
    return bool(response.headers.get("Docker-Content-Digest") == wanted["digest"])
