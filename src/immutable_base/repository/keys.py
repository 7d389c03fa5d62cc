"""OpenPGP keys by pinned fingerprint: the place they come from is not trusted, the pin is."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

from immutable_base.context import Context
from immutable_base.download import Remote
from immutable_base.errors import VerificationError
from immutable_base.tools import gpg, gpgv
from immutable_base.workspace import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedKey:
    """A key that the configuration names, fetched and compared with its pin."""

    name: str
    fingerprint: str
    keyring: bytes
    """Binary keyring with this key alone, for gpgv."""
    armored: str
    """The same key as text, for rpm and dnf."""


def fetch_key(context: Context, remote: Remote, name: str) -> PinnedKey:
    """Fetch the key `keys.<name>` and return it.

    Raises RemoteError if it cannot be had, VerificationError if its primary fingerprint is
    another one.
    """
    key = context.settings.keys[name]
    what = f"the key '{name}'"
    url = key.url if ":" in key.url else context.file(key.url).as_uri()
    content = remote.small(url, what)
    with tempfile.TemporaryDirectory(prefix="key-") as folder:
        home = Path(folder)
        (home / "published").write_bytes(content)
        try:
            keyring = gpg.pinned_keyring(context.run, home / "published", key.fingerprint, home)
        except VerificationError as error:
            raise VerificationError(
                f"{what} is not the pinned one: {error.message}",
                details="\n".join(filter(None, (url, error.details))),
                hint=error.hint,
            ) from error
        armored = gpg.armored(context.run, key.fingerprint, home)
        return PinnedKey(
            name=name, fingerprint=key.fingerprint, keyring=keyring.read_bytes(), armored=armored
        )


def verify_detached(context: Context, key: PinnedKey, *, data: bytes, signature: bytes) -> None:
    """Check a detached signature by exactly this key.

    Raises VerificationError.
    """
    with tempfile.TemporaryDirectory(prefix="signature-") as folder:
        paths = {name: Path(folder) / name for name in ("keyring", "signature", "data")}
        for name, content in (("keyring", key.keyring), ("signature", signature), ("data", data)):
            write_atomically(paths[name], content)
        found = gpgv.verify(context.run, **paths)
    if found != key.fingerprint:
        raise VerificationError(f"signed by {found}, not by the pinned key {key.fingerprint}")
