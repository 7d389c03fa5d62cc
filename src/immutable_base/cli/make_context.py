"""The surroundings of a run, made of its options."""

from __future__ import annotations

import argparse

from immutable_base.config.schema import Settings
from immutable_base.context import Context, load_context
from immutable_base.process import run


def make_context(namespace: argparse.Namespace, settings: Settings | None = None) -> Context:
    """Return the context that the options describe; a private CA is made known to programs.

    `settings` are those of the configuration, where they are known already.

    Raises ConfigurationError if the configuration cannot be used.
    """
    return load_context(
        namespace.config,
        namespace.workspace,
        run,
        settings,
        # Only of commands that make a plan: the others follow theirs.
        unsigned=getattr(namespace, "unsigned", False),
    )
