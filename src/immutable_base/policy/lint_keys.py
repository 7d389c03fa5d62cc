"""Does a key's file in an image hold what hosts can verify with?"""

from __future__ import annotations

from immutable_base.errors import ConfigurationError
from immutable_base.policy.public_key import canonical_pem


def key_mistake(text: str) -> str | None:
    """Return what is wrong with the text of a public key, None if nothing is."""
    try:
        canonical_pem(text.encode(), "it")
    except ConfigurationError as error:
        return error.message
    return None
