"""What is different in the new image: two SBOMs compared. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, unquote

from immutable_base.model.instance import InstanceChanges
from immutable_base.plan.diff import Item, Key, version_changes
from immutable_base.sbom.subject import KERNEL_RELEASE
from immutable_base.solver.order import Order

KEYS = "gpg-pubkey"
"""Public keys, which rpm lists as if they were packages."""


def changes_between(before: dict[str, Any], after: dict[str, Any], order: Order) -> InstanceChanges:
    """Return what became of kernel, modules and packages; both are CycloneDX documents of ours.

    Raises LookupError, TypeError, ValueError or AttributeError for another document.
    """
    old, new = _kernel(before), _kernel(after)
    return InstanceChanges(
        kernel=(old, new) if old != new else None,
        modules=version_changes(dict(_modules(before)), dict(_modules(after)), order),
        packages=version_changes(dict(_packages(before)), dict(_packages(after)), order),
    )


def _properties(component: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: str(item["value"]) for item in component.get("properties", ())}


def _kernel(document: dict[str, Any]) -> str:
    return _properties(document["metadata"]["component"]).get(KERNEL_RELEASE, "")


def _modules(document: dict[str, Any]) -> Iterator[tuple[Key, Item]]:
    for component in document.get("components", ()):
        if KERNEL_RELEASE in _properties(component):
            # Not by its checksum: a module is built again for each kernel.
            yield (component["name"], ""), (str(component.get("version", "")), "")


def _packages(document: dict[str, Any]) -> Iterator[tuple[Key, Item]]:
    for component in document.get("components", ()):
        kind, _, rest = str(component.get("purl", "")).partition("/")
        if kind == "pkg:rpm" and component["name"] != KEYS:
            arch = parse_qs(unquote(rest.partition("?")[2])).get("arch", [""])[0]
            yield (component["name"], arch), (str(component.get("version", "")), "")
