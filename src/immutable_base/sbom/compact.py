"""The SBOM in few bytes: the whole of it goes through a transparency log that has a limit.

What is left out says nothing that is not said elsewhere in the document:

* references of 150 characters that repeat the purl: a package's is its NEVRA;
* edges from the image to every component (`components` lists them), and entries without an edge;
* indentation.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from cyclonedx.model.component import Component

RPM = "rpm"
"""Type of an rpm package's purl."""


def package_name(component: Component, version: str) -> str | None:
    """Return `name-version[.arch]` of an rpm package, None for any other component."""
    purl = component.purl
    if purl is None or purl.type != RPM:
        return None
    arch = dict(purl.qualifiers).get("arch")
    return f"{component.name}-{version}" + (f".{arch}" if arch else "")


def short_references(components: Iterable[Component]) -> dict[str, str]:
    """Return the short form of each component's reference, by the long one; no two are equal."""
    seen: Counter[str] = Counter()
    short = {}
    for component in sorted(components, key=lambda item: item.bom_ref.value or ""):
        long = component.bom_ref.value or ""
        name = package_name(component, component.version or "") or long
        seen[name] += 1
        short[long] = name if seen[name] == 1 else f"{name}#{seen[name]}"
    return short


def compact_text(document: Mapping[str, Any], short: Mapping[str, str]) -> str:
    """Return a CycloneDX document as JSON, with short references and without what says nothing."""
    image = document["metadata"]["component"]["bom-ref"]
    components = [{**item, "bom-ref": short[item["bom-ref"]]} for item in document["components"]]
    edges = {
        short[item["ref"]]: sorted(short[other] for other in item["dependsOn"])
        for item in document["dependencies"]
        if item.get("dependsOn") and item["ref"] != image
    }
    dependencies = [{"ref": ref, "dependsOn": edges[ref]} for ref in sorted(edges)]
    whole = {**document, "components": components, "dependencies": dependencies}
    return json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n"
