"""What the builds of a run work with: made of its context."""

from __future__ import annotations

import os
from collections.abc import Sequence

from immutable_base.build.graph import BuildGraph
from immutable_base.build.inputs import BuildInputs
from immutable_base.context import Context
from immutable_base.errors import ConfigurationError
from immutable_base.model.module_signer import ModuleSigner
from immutable_base.module_signing import open_module_key
from immutable_base.tools.module_signature import ModuleKey

NOTHING = BuildGraph()


def build_inputs_of(
    context: Context, graph: BuildGraph = NOTHING, *, candidates: str | None = None
) -> BuildInputs:
    """Return what a build of a graph works with; `candidates` is a repository to leave images in.

    Raises ConfigurationError if modules are to be signed, and their key is not here or not theirs.
    """
    return BuildInputs(
        settings=context.settings,
        config_folder=context.config_path.parent,
        layers_folder=context.layers_folder,
        run_folder=context.run_folder,
        logs=context.logs,
        storage=context.storage,
        tls=context.tls,
        module_key=_module_key(context, graph.signers),
        candidates=candidates,
        clock=context.clock,
    )


def require_module_key(context: Context, variants: Sequence[str]) -> None:
    """Raise ConfigurationError if modules of these variants could not be signed.

    A run is long: what is wrong with the key or its certificate is reported before it.
    """
    layers = (name for variant in variants for name in context.settings.variants[variant].layers)
    if any(context.settings.layers[name].module for name in layers):
        signer = context.module_signer()
        _module_key(context, (signer,) if signer else ())


def _module_key(context: Context, signers: Sequence[ModuleSigner]) -> ModuleKey | None:
    if len(signers) > 1:
        raise ConfigurationError(
            "the plan has modules signed by more than one certificate", hint="plan again"
        )
    return open_module_key(context.run, signers[0], os.environ) if signers else None
