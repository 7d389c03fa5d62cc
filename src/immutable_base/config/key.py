"""The shape of a key in immutable-base.toml: where it can be had, and the pin that decides."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from immutable_base.config.types import Fingerprint
from immutable_base.model.document import Frozen

PLACE = r"^(https?://.+|file:///.+|[^:]+)$"
SHA256 = r"^[0-9a-f]{64}$"
KEY_ID = r"^[0-9A-F]{8,40}$"
Place = Annotated[str, StringConstraints(pattern=PLACE)]
Sha256 = Annotated[str, StringConstraints(pattern=SHA256)]


class Key(Frozen):
    """An OpenPGP key: the places that may have it, and the pin that decides whether one does.

    A key with neither `fingerprint` nor `sha256` is not pinned yet: variants that need it are held.
    """

    places: Annotated[tuple[Place, ...], Field(min_length=1)]
    """Places to fetch the key from, in this order: https://..., file:///..., or a path relative to
    this file. None of them is trusted."""
    fingerprint: Fingerprint | None = None
    """Fingerprint of the primary key: 40 hexadecimal digits, verified out of band."""
    sha256: Sha256 | None = None
    """SHA-256 of the key file, beside or instead of `fingerprint`."""
    witness_key_id: Annotated[str, StringConstraints(pattern=KEY_ID)] | None = None
    """End of the fingerprint as public sources name it. Only `keys check` compares it: a hint."""
    witness_sha256: Sha256 | None = None
    """SHA-256 of the key file without lines that begin with `Version`, as public sources name it.
    Only `keys check` compares it: a hint."""

    @property
    def is_pinned(self) -> bool:
        """Tell whether anything decides which key it is."""
        return self.fingerprint is not None or self.sha256 is not None
