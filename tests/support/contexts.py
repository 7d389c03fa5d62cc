"""The surroundings of a run, for a configuration file."""

from pathlib import Path

from immutable_base.config.load import load_settings
from immutable_base.context import Context
from immutable_base.process import run
from immutable_base.tls import set_up_tls


def context_for(config: Path, workspace: Path, *, layers: Path | None = None) -> Context:
    """Return a run's surroundings with real programs that trust the configured private CA."""
    settings = load_settings(config)
    return Context(
        settings=settings,
        config_path=config,
        layers_folder=layers or config.parent / "layers",
        workspace=workspace,
        run=run,
        tls=set_up_tls(settings.authority(config.parent), workspace),
    )
