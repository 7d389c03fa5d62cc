"""What the builds of a run work with: made of its context."""

from __future__ import annotations

from immutable_base.build.inputs import BuildInputs
from immutable_base.context import Context


def build_inputs_of(context: Context, *, candidates: str | None = None) -> BuildInputs:
    """Return what a build works with; `candidates` is a repository to leave images in."""
    return BuildInputs(
        settings=context.settings,
        config_folder=context.config_path.parent,
        layers_folder=context.layers_folder,
        run_folder=context.run_folder,
        logs=context.logs,
        storage=context.storage,
        tls=context.tls,
        candidates=candidates,
        clock=context.clock,
    )
