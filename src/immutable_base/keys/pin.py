"""Write a pin into immutable-base.toml; everything else in the file stays as it is."""

from __future__ import annotations

import tomllib
from pathlib import Path

import tomlkit
from pydantic import ValidationError

from immutable_base.config.schema import Settings
from immutable_base.errors import ConfigurationError
from immutable_base.workspace import write_atomically


def pin_key(config: Path, name: str, fingerprint: str) -> None:
    """Write `keys.<name>.fingerprint` into a configuration file, whole or not at all.

    Raises ConfigurationError if the file has changed so that it has no such key any more, or would
    not be a configuration afterwards.
    """
    # A link stays a link: what it leads to is written.
    path = config.resolve()
    text = with_pin(path.read_text("utf-8"), name, fingerprint)
    try:
        Settings.model_validate(tomllib.loads(text))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(
            f"{config} cannot hold the pin of '{name}'", details=str(error)
        ) from error
    write_atomically(path, text)


def with_pin(text: str, name: str, fingerprint: str) -> str:
    """Return a configuration (TOML text) with the fingerprint of a key, comments as they were.

    A pin of the key's file goes: it may be that of the key before. Raises ConfigurationError if
    there is no such key.
    """
    document = tomlkit.parse(text)
    try:
        table = document["keys"][name]
    except KeyError as error:
        raise ConfigurationError(f"the configuration has no key '{name}'") from error
    # What stands at the table's end may be about the next one: the pin comes before it.
    body = table.value.body
    end = next((n for n in range(len(body), 0, -1) if body[n - 1][0] is not None), 0)
    trailing = body[end:]
    del body[end:]
    table["fingerprint"] = fingerprint
    table.pop("sha256", None)
    body.extend(trailing)
    return tomlkit.dumps(document)
