"""What is different in the new image: two SBOMs compared. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import parse_qs, unquote

from immutable_base.instance.advisories import fixed_in
from immutable_base.model.advisory import OpenAdvisory
from immutable_base.model.instance import InstanceChanges
from immutable_base.plan.diff import Item, Key, version_changes
from immutable_base.sbom.subject import KERNEL_RELEASE
from immutable_base.solver.order import Order

KEYS = "gpg-pubkey"
"""Public keys, which rpm lists as if they were packages."""


UNREADABLE = (AttributeError, LookupError, TypeError, ValueError)
"""What reading an SBOM raises that is not of our shape."""


def changes_between(
    before: dict[str, Any],
    after: dict[str, Any],
    order: Order,
    open_before: Sequence[OpenAdvisory] | None = None,
) -> InstanceChanges:
    """Return what became of kernel, modules and packages; both are CycloneDX documents of ours.

    `open_before` are the advisories that were open in the earlier image; None: they are not known.

    Raises LookupError, TypeError, ValueError or AttributeError for another document.
    """
    old, new = _kernel(before), _kernel(after)
    return InstanceChanges(
        kernel=(old, new) if old != new else None,
        modules=version_changes(dict(_modules(before)), dict(_modules(after)), order),
        packages=version_changes(dict(_items(before)), dict(_items(after)), order),
        fixed=None if open_before is None else fixed_in(open_before, rpm_packages(after), order),
    )


def rpm_packages(document: dict[str, Any]) -> dict[Key, str]:
    """Return the packages of an SBOM of ours: `[epoch:]version-release` by name and architecture.

    Raises as `changes_between`.
    """
    return {key: evr for key, (evr, _) in _items(document)}


def properties_of(document: dict[str, Any]) -> dict[str, str]:
    """Return what an SBOM of ours says of its image. Raises as `changes_between`."""
    return _properties(document["metadata"]["component"])


def _properties(component: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: str(item["value"]) for item in component.get("properties", ())}


def _kernel(document: dict[str, Any]) -> str:
    return properties_of(document).get(KERNEL_RELEASE, "")


def _modules(document: dict[str, Any]) -> Iterator[tuple[Key, Item]]:
    for component in document.get("components", ()):
        if KERNEL_RELEASE in _properties(component):
            # Not by its checksum: a module is built again for each kernel.
            yield (component["name"], ""), (str(component.get("version", "")), "")


def _items(document: dict[str, Any]) -> Iterator[tuple[Key, Item]]:
    for component in document.get("components", ()):
        kind, _, rest = str(component.get("purl", "")).partition("/")
        if kind == "pkg:rpm" and component["name"] != KEYS:
            arch = parse_qs(unquote(rest.partition("?")[2])).get("arch", [""])[0]
            yield (component["name"], arch), (str(component.get("version", "")), "")
