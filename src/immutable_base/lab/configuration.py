"""The lab's immutable-base.toml: the product's own, with other URLs, keys and references.

Nothing else may differ, or the night in the lab would not be the night outside. The test
`tests/unit/lab/test_configuration.py` holds this file to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from immutable_base.workspace import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class LabAddresses:
    """Where the lab's things are."""

    registry: str
    """`127.0.0.1:port`"""
    repositories: str
    """URL below which each repository id is a folder."""
    key_url: str
    key_fingerprint: str
    issuer: str
    fulcio: str
    rekor: str
    ca_bundle: Path
    fulcio_root: Path
    rekor_key: Path
    ct_log_key: Path | None
    bases: Mapping[str, str]
    """Stream to image reference."""
    branches: Mapping[str, str]
    """Module to the branch that Debian's archive has, where it differs."""


def lab_configuration(product: str, lab: LabAddresses) -> str:
    """Return the product's configuration (TOML text) pointed at the lab."""
    document = tomlkit.parse(product)
    for stream, reference in lab.bases.items():
        document["streams"][stream]["base"] = reference
    for name, repository in document["repositories"].items():
        repository["url"] = f"{lab.repositories}/{name}/"
        repository["metadata_key"] = repository["key"]
    for key in document["keys"].values():
        key["url"] = lab.key_url
        key["fingerprint"] = lab.key_fingerprint
    for module, branch in lab.branches.items():
        document["modules"][module]["branch"] = branch
    document["registry"].update(
        {"destination": f"{lab.registry}/immutable-base", "ca_bundle": str(lab.ca_bundle)}
    )
    signing = {
        "certificate_oidc_issuer": lab.issuer,
        "fulcio_url": lab.fulcio,
        "rekor_url": lab.rekor,
        "fulcio_root": str(lab.fulcio_root),
        "rekor_key": str(lab.rekor_key),
    }
    if lab.ct_log_key:
        signing["ct_log_key"] = str(lab.ct_log_key)
    document["signing"].update(signing)
    return tomlkit.dumps(document)


def write_lab_configuration(state: Path, product: Path, lab: LabAddresses) -> Path:
    """Write the lab's configuration and the link to `images/` beside it; return its path."""
    target = state / "immutable-base.toml"
    write_atomically(target, lab_configuration(product.read_text(), lab))
    link = state / "images"
    link.unlink(missing_ok=True)
    link.symlink_to((product.parent / "images").resolve())
    return target
