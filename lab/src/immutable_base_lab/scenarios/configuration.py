"""A scenario's immutable-base.toml: the product's own, on another stream, with something wrong."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path

import tomlkit
from tomlkit import TOMLDocument

from immutable_base_lab.configuration import (
    Replacements,
    lab_configuration,
    write_lab_configuration,
)
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.scenarios.scenario import FULL, Scenario, Universe

TINY_LAYERS = Path(__file__).parent / "files" / "layers"
"""Layers of the tiny stream; the product's own are beside them in a scenario."""
KEPT = (
    "schema_version",
    "source",
    "vendor",
    "licenses",
    "kernel",
    "registry",
    "signing",
    "boot",
    "publish",
)
"""Keys and tables of the product's own configuration that hold on the tiny stream as well."""


def scenario_configuration(product: str, lab: Replacements, scenario: Scenario) -> str:
    """Return the configuration of a scenario; `product` is the product's own (TOML text)."""
    if scenario.universe is Universe.TINY:
        product = _on_tiny_stream(product)
    document = tomlkit.parse(lab_configuration(product, lab))
    if scenario.universe is Universe.TINY and lab.image_keys:
        document["signing"]["keys"] = dict(lab.image_keys)
    change(document, scenario.changes)
    document["registry"]["destination"] += scenario.namespace
    return tomlkit.dumps(document)


def configuration_file(paths: LabPaths, scenario: Scenario) -> Path:
    """Return where the product's configuration for a scenario is."""
    if scenario is FULL:
        return paths.configuration
    return paths.scenario(scenario.name) / paths.configuration.name


def write_configuration(paths: LabPaths, scenario: Scenario, text: str, layers: Path) -> None:
    """Write a scenario's configuration and, beside it, its layers: the product's and its own."""
    folders = [layers] if scenario.universe is Universe.FULL else [layers, TINY_LAYERS]
    write_lab_configuration(configuration_file(paths, scenario), text, folders)


def change(document: TOMLDocument, changes: Mapping[str, object]) -> None:
    """Give keys of a configuration other values, or remove them (None).

    Raises KeyError for a key that it has not.
    """
    for path, value in changes.items():
        *tables, key = path.split(".")
        table = document
        for name in tables:
            table = table[name]
        table[key]  # so that a key that was renamed is an error
        if value is None:
            del table[key]
        else:
            table[key] = value


def _on_tiny_stream(product: str) -> str:
    """Return the product's configuration with the streams and variants of the tiny universe."""
    own = tomlkit.parse(product)
    document = tomlkit.document()
    for name in KEPT:
        document[name] = own[name]
    tiny = files("immutable_base_lab.scenarios").joinpath("tiny.toml").read_text()
    for name, content in tomlkit.parse(tiny).items():
        document[name] = content
    return tomlkit.dumps(document)
