"""What the lab's services hold: repositories, make, and the product's configuration for them."""

from __future__ import annotations

import json
import ssl
from functools import partial
from typing import TYPE_CHECKING

import httpx

from immutable_base.errors import HostError
from immutable_base_lab.bases import make
from immutable_base_lab.configuration import (
    LabAddresses,
    branches_there,
    write_lab_configuration,
)
from immutable_base_lab.core.ports import LOOPBACK
from immutable_base_lab.core.schedule import Node
from immutable_base_lab.core.signing_key import KEY_NAME
from immutable_base_lab.core.state import StateStore
from immutable_base_lab.debian import catalogue
from immutable_base_lab.rpms import container_toolkit, universe

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from immutable_base_lab.core.paths import LabPaths
    from immutable_base_lab.core.progress import Step
    from immutable_base_lab.lab import Addresses


def content_nodes(paths: LabPaths) -> Iterator[Node]:
    """Yield the steps that make repositories and bases; what is made already takes no time."""
    made = (paths.root / "universe").exists()
    yield Node(
        name="package repositories",
        work=partial(_universe, paths),
        lane="pack",
        usual_seconds=0 if made else 600,
    )
    yield Node(
        name="repository of the container toolkit",
        work=partial(_toolkit, paths),
        lane="pack",
        needs=("build nvidia-container-toolkit", "package repositories"),
    )
    yield Node(
        name="base images",
        work=partial(_bases, paths),
        lane="pack",
        needs=("build ostree-ext-cli", "package repositories"),
        usual_seconds=0 if (paths.root / "bases").exists() else 180,
    )


def _universe(paths: LabPaths, step: Step) -> None:
    universe.build(paths.root, step.say)


def _toolkit(paths: LabPaths, _step: Step) -> None:
    container_toolkit.build(paths.root)


def _bases(paths: LabPaths, step: Step) -> None:
    port = StateStore(paths.state_file).state.ports["files"]
    make.make(paths.root, f"http://{LOOPBACK}:{port}", step.say)


def publish_bases(paths: LabPaths, registry: str, step: Step) -> None:
    """Push the bases unless the registry has them as they are.

    Raises CommandError if the registry refuses one.
    """
    known = catalogue.load().streams
    if not all(_is_published(paths, registry, name, it.reference) for name, it in known.items()):
        make.publish(paths.root, registry, paths.trust / "ca.pem", step.say)


def _is_published(paths: LabPaths, registry: str, name: str, reference: str) -> bool:
    index = json.loads((paths.root / "bases" / name / "oci" / "index.json").read_text())
    wanted = index["manifests"][0]
    repository, _, tag = reference.rpartition(":")
    answer = httpx.head(
        f"https://{registry}/v2/{repository}/manifests/{tag}",
        headers={"Accept": wanted["mediaType"]},
        verify=ssl.create_default_context(cafile=paths.trust / "ca.pem"),
        trust_env=False,
    )
    return bool(answer.headers.get("Docker-Content-Digest") == wanted["digest"])


def write_configuration(paths: LabPaths, at: Addresses, product: Path) -> None:
    """Write the product's configuration for this lab.

    Raises HostError if `product` is not there.
    """
    if not product.is_file():
        message = f"there is no {product}, from which the lab's configuration is made"
        raise HostError(
            message, hint="run this where immutable-base.toml lies, or name it: --product"
        )
    addresses = LabAddresses(
        registry=at.registry,
        repositories=at.files,
        key_url=f"{at.files}/{KEY_NAME}",
        key_fingerprint=(paths.trust / "lab-rpm-key.fingerprint").read_text().strip(),
        issuer=at.issuer,
        fulcio=at.fulcio,
        rekor=at.rekor,
        ca_bundle=paths.trust / "ca.pem",
        fulcio_root=paths.trust / "fulcio.pem",
        rekor_key=paths.trust / "rekor.pub",
        ct_log_key=paths.trust / "ctlog.pub",
        branches=branches_there(product.read_text(), paths.rpms),
    )
    write_lab_configuration(paths.root, product, addresses)
