"""The lab's immutable-base.toml: the product's own, with other URLs, keys and references.

Nothing else may differ, or a run in the lab would not be the run outside. The test
`tests/unit/lab/test_configuration.py` holds this file to that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import tomlkit

from immutable_base.config.types import COMPOSE
from immutable_base.errors import HostError
from immutable_base.workspace import write_atomically
from immutable_base_lab.core.files import point_to, remove
from immutable_base_lab.services.service import ProductSettings

GONE = "moved-away"
"""Where nothing is, below the URL of the repositories."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replacements:
    """What differs in the lab."""

    registry: str
    """`127.0.0.1:port`"""
    repositories: str
    """URL below which each repository id is a folder."""
    key_url: str
    key_fingerprint: str
    settings: ProductSettings
    """What services set, by table."""
    branches: Mapping[str, str]
    """Module to the branch that Debian's archive has, where it differs."""
    image_keys: Mapping[str, object] = field(default_factory=dict)
    """Table `signing.keys` of the scenarios in which a key signs as well."""


def lab_configuration(product: str, lab: Replacements) -> str:
    """Return the product's configuration (TOML text) pointed at the lab."""
    document = tomlkit.parse(product)
    for stream in document["streams"].values():
        stream["base"] = f"{lab.registry}/{stream['base'].rpartition('/')[2]}"
    for name, repository in document["repositories"].items():
        # metadata_key stays where it is: upstream signs the metadata of few of its repositories.
        compose = f"{COMPOSE}/" if COMPOSE in repository["url"] else ""
        repository["url"] = f"{lab.repositories}/{name}/{compose}"
        if "archive" in repository:
            repository["archive"] = f"{lab.repositories}/archive/{name}/"
    for key in document["keys"].values():
        # Outside, places move: where a key has more than one, all but the last are gone here.
        gone = [f"{lab.repositories}/{GONE}/{number}" for number in range(1, len(key["places"]))]
        key["places"] = [*gone, lab.key_url]
        key["fingerprint"] = lab.key_fingerprint
        for pin in ("sha256", "witness_key_id", "witness_sha256"):
            key.pop(pin, None)
    for module, branch in lab.branches.items():
        document["modules"][module]["branch"] = branch
    for table, keys in lab.settings.items():
        # Only who signs modules has no table outside, until somebody has a key.
        document.setdefault(table, {}).update(keys)
    return tomlkit.dumps(document)


def read_product(path: Path) -> str:
    """Return the text of the product's configuration. Raises HostError if it is not there."""
    if not path.is_file():
        raise HostError(
            f"there is no {path}, from which the lab's configuration is made",
            hint="run this where immutable-base.toml lies, or name it: --product",
        )
    return path.read_text()


def available_branches(product: str, rpms: Path) -> dict[str, str]:
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


def write_lab_configuration(file: Path, text: str, layers: Sequence[Path]) -> None:
    """Write a configuration, and `layers/` beside it: a link, or the content of several folders.

    Another command may be reading them: what stays is there at every moment.
    """
    write_atomically(file, text)
    beside = file.parent / "layers"
    if beside.is_symlink() != (len(layers) == 1):
        remove(beside)
    if len(layers) == 1:
        point_to(beside, layers[0].resolve())
        return
    wanted = {layer.name: layer for folder in layers for layer in folder.resolve().iterdir()}
    beside.mkdir(exist_ok=True)
    for name, layer in sorted(wanted.items()):
        point_to(beside / name, layer)
    for path in beside.iterdir():
        if path.name not in wanted:
            remove(path)
