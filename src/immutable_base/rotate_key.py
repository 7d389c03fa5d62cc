"""Write the next step of a key's rotation into immutable-base.toml, and nothing else of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import tomlkit
from pydantic import ValidationError

from immutable_base.config.schema import Settings
from immutable_base.config.signing_keys import SigningKeys
from immutable_base.errors import ConfigurationError
from immutable_base.trusted_keys import public_keys
from immutable_base.workspace import write_atomically


def write_keys(config: Path, keys: SigningKeys) -> None:
    """Write the table `signing.keys`, whole or not at all; comments stay.

    Raises ConfigurationError if the file would not be a configuration afterwards, or names a
    public key that cannot be used.
    """
    # A link stays a link: what it leads to is written.
    path = config.resolve()
    document = tomlkit.parse(path.read_text("utf-8"))
    try:
        table = document["signing"]["keys"]
    except KeyError as error:
        raise ConfigurationError("the configuration has no table signing.keys") from error
    table["key"], table["key_paths"] = keys.key, list(keys.key_paths)
    table["signing_with"] = keys.signing_with
    text = tomlkit.dumps(document)
    try:
        settings = Settings.model_validate(tomllib.loads(text))
    except (ValidationError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{config} cannot hold these keys", details=str(error)) from error
    public_keys(settings.signing, path.parent)
    write_atomically(path, text)
