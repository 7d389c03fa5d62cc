"""The table `[signing.fleet]`: one machine admits images, and hosts read what it has admitted."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from immutable_base.config.trust import SECURE_HOST
from immutable_base.config.types import KeyPaths
from immutable_base.model.document import Frozen

LOOKASIDE = rf"{SECURE_HOST}(/[A-Za-z0-9._~-]+)*/?$"
"""https, or http to this machine; no login, no query, no sign that YAML would read otherwise."""


class Fleet(Frozen):
    """The machine that admits images for hosts without an admission program of their own."""

    lookaside: Annotated[str, StringConstraints(pattern=LOOKASIDE)]
    """Address at which hosts read its admissions: the folder `lookaside` below its `state`, served
    over https."""
    key_paths: KeyPaths
    """PEM files of the public keys that hosts accept (`host.pub` of that machine): the current
    one, and the next."""
