"""What a publication takes beyond the push of the image: sign, attest, verify, ask as a host, tags."""

from __future__ import annotations

import json
import statistics
from contextlib import closing
from pathlib import Path

from common import REPEAT, Row, product

from support.registry_watch import MANIFEST, Registry

PUSH = "push by digest"
ANYTHING = f"{MANIFEST}, application/vnd.oci.image.index.v1+json"


def publish_rows(workspace: Path, config: Path, names: tuple[str, ...]) -> list[Row]:
    """Publish again, from the documents of a run that has ended, as if it had not happened."""
    return [
        Row(
            f"publication of `{name}` beyond its push, median of {REPEAT}",
            statistics.median(_published(workspace, config, name) for _ in range(REPEAT)),
            None,
            "≤ 5 s",
            digits=1,
        )
        for name in names
    ]


def _published(workspace: Path, config: Path, name: str) -> float:
    _unpublish(config, name)
    product("publish", "--variant", name, workspace=workspace, config=config)
    document = json.loads((workspace / "tonight" / "publish" / f"{name}.json").read_text())
    (push,) = [it["seconds"] for it in document["steps"] if it["step"] == PUSH]
    return float(document["seconds"]) - float(push)


def _unpublish(config: Path, name: str) -> None:
    """Delete every tag of a variant with what it names, signatures and SBOMs included.

    Blobs stay in the registry, so that the push transfers none.
    """
    registry = Registry(config)
    with closing(registry.client) as client:
        path = f"{registry.path}/{name}"
        tags = client.get(f"{path}/tags/list").raise_for_status().json()["tags"] or []
        asked = [
            client.head(f"{path}/manifests/{tag}", headers={"Accept": ANYTHING}) for tag in tags
        ]
        digests = {it.raise_for_status().headers["docker-content-digest"] for it in asked}
        for digest in digests:
            client.delete(f"{path}/manifests/{digest}").raise_for_status()
