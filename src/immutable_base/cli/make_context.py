"""The surroundings of a run, made of its options."""

from __future__ import annotations

import argparse

from immutable_base.config.load import load_settings
from immutable_base.config.schema import Settings
from immutable_base.context import Context
from immutable_base.errors import ConfigurationError
from immutable_base.process import run
from immutable_base.tls import set_up_tls


def make_context(namespace: argparse.Namespace, settings: Settings | None = None) -> Context:
    """Return the context that the options describe; a private CA is made known to programs.

    `settings` are those of the configuration, where they are known already.

    Raises ConfigurationError if the configuration cannot be used.
    """
    config_path = namespace.config.resolve()
    settings = settings or load_settings(config_path)
    layers = config_path.parent / "layers"
    if not layers.is_dir():
        raise ConfigurationError(
            f"there is no folder {layers}",
            hint="`layers/` with the Containerfiles belongs beside the configuration; "
            "`immutable-base init DIR` writes both",
        )
    workspace = namespace.workspace.resolve()
    return Context(
        settings=settings,
        config_path=config_path,
        layers_folder=layers.resolve(),
        workspace=workspace,
        run=run,
        tls=set_up_tls(settings.authority(config_path.parent), workspace),
    )
