"""The lab's immutable-base.toml: the product's own, with other URLs, keys and references.

Nothing else may differ, or the night in the lab would not be the night outside. The test
`tests/unit/lab/test_configuration.py` holds this file to that.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import tomlkit

from immutable_base.errors import HostError
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
    ct_log_key: Path
    branches: Mapping[str, str]
    """Module to the branch that Debian's archive has, where it differs."""


def lab_configuration(product: str, lab: LabAddresses) -> str:
    """Return the product's configuration (TOML text) pointed at the lab."""
    document = tomlkit.parse(product)
    for stream in document["streams"].values():
        stream["base"] = f"{lab.registry}/{stream['base'].rpartition('/')[2]}"
    for name, repository in document["repositories"].items():
        # metadata_key stays where it is: upstream signs the metadata of few of its repositories.
        repository["url"] = f"{lab.repositories}/{name}/"
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
        "ct_log_key": str(lab.ct_log_key),
    }
    document["signing"].update(signing)
    return tomlkit.dumps(document)


def branches_there(product: str, rpms: Path) -> dict[str, str]:
    """Return the branch of each module whose own branch the lab's repositories do not have.

    `rpms` holds a folder for each repository id. Raises HostError if a module has no package.
    """
    found = {}
    for name, module in tomlkit.parse(product).unwrap()["modules"].items():
        package, branch = module["source_package"], module["branch"]
        files = [
            file.name.removeprefix(f"{package}-")
            for repository in module["repositories"]
            for file in sorted((rpms / repository).rglob(f"{package}-[0-9]*.rpm"))
        ]
        if not files:
            raise HostError(f"the lab has no package {package}", hint="run `immutable-base lab up`")
        if not any(file.startswith(f"{branch}.") for file in files):
            found[name] = files[-1].partition(".")[0]
    return found


def write_lab_configuration(state: Path, product: Path, lab: LabAddresses) -> Path:
    """Write the lab's configuration and the link to `layers/` beside it; return its path."""
    target = state / "immutable-base.toml"
    write_atomically(target, lab_configuration(product.read_text(), lab))
    link = state / "layers"
    link.unlink(missing_ok=True)
    link.symlink_to((product.parent / "layers").resolve())
    return target
