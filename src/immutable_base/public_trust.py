"""The trust in Sigstore's public instance: as this version was made with it, or updated since."""

from __future__ import annotations

import os
from pathlib import Path

from immutable_base.errors import ConfigurationError
from immutable_base.state import trust_folder
from immutable_base.verification.roots import TrustRoots, public_roots

_BESIDE = Path(__file__).parent / "verification"
SHIPPED = _BESIDE / "public_root.json"
"""All the trust, when this version was made; docs/explanation/trust-model.md names its source."""
PINNED_ROOT = _BESIDE / "public_tuf_root.json"
"""TUF root metadata that every update starts from, of the same source."""
STORED = "trusted_root.json"
"""Name of what an update leaves in `trust_folder()`."""


def public_trust(instance: str) -> TrustRoots:
    """Return the trust in the public instance: what an update brought, unless ours is newer.

    Nothing is fetched. Raises ConfigurationError if what an update left cannot be used any more.
    """
    shipped, stored = shipped_trust(instance), stored_trust(instance)
    return shipped if stored is None or is_older(stored, shipped) else stored


def shipped_trust(instance: str) -> TrustRoots:
    """Return the trust that this version was made with."""
    return public_roots(SHIPPED.read_bytes(), instance=instance, source="shipped with this version")


def stored_trust(instance: str) -> TrustRoots | None:
    """Return what the last update brought, None without one; raises as `public_trust`."""
    path = trust_folder() / STORED
    try:
        with path.open("rb") as file:
            status, raw = os.fstat(file.fileno()), file.read()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unusable(path, error.strerror or "it cannot be read") from error
    # Under sudo it may be the folder of the user who called it.
    if status.st_uid not in {0, os.geteuid()} or status.st_mode & 0o022:
        raise _unusable(path, "somebody else may write to it")
    try:
        return public_roots(raw, instance=instance, source=str(path))
    except ConfigurationError as error:
        raise _unusable(path, error.details or error.message) from error


def is_older(one: TrustRoots, other: TrustRoots) -> bool:
    """Tell whether `one` knows of fewer rotations than `other`."""
    return (one.dated or 0) < (other.dated or 0)


def _unusable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"{path}, which an update of the trust has left, cannot be used",
        details=reason,
        hint="`immutable-base trust update` fetches it again",
    )
