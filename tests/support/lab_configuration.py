"""What the lab's configuration is compared by."""

from __future__ import annotations

from immutable_base_lab.configuration import Replacements
from immutable_base_lab.services.service import ProductSettings, Surroundings


def replacements(at: Surroundings, settings: ProductSettings) -> Replacements:
    """Return what differs in a lab at these ports."""
    return Replacements(
        registry=at.address("registry"),
        repositories=at.url("files"),
        key_url=f"{at.url('files')}/key.asc",
        key_fingerprint="A" * 40,
        settings=settings,
        branches={},
        image_keys={"key": "env://KEY", "key_paths": ["/lab/current.pub", "/lab/next.pub"]},
    )


def flat(value: object, path: str = "") -> dict[str, object]:
    """Return every value of nested tables by its dotted path."""
    if isinstance(value, dict):
        return {
            k: v
            for key, item in value.items()
            for k, v in flat(item, f"{path}.{key}".lstrip(".")).items()
        }
    return {path: value}
