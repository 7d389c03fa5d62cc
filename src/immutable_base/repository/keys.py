"""OpenPGP keys by pinned fingerprint: the place they come from is not trusted, the pin is."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from immutable_base.config.schema import Key
from immutable_base.download import Downloader
from immutable_base.errors import VerificationError
from immutable_base.process import Runner
from immutable_base.tools import gpg, gpgv


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedKey:
    """A key that the configuration names, fetched and compared with its pin."""

    name: str
    fingerprint: str
    keyring: bytes
    """Binary keyring with this key alone, for gpgv."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFetcher:
    """Fetches the keys of a configuration."""

    run: Runner
    downloader: Downloader
    keys: Mapping[str, Key]
    folder: Path
    """Where relative paths of keys begin."""

    def fetch(self, name: str) -> PinnedKey:
        """Fetch the key `keys.<name>` and return it.

        Raises RemoteError if it cannot be fetched, VerificationError if its primary fingerprint
        is another one.
        """
        with self._pinned(name) as keyring:
            return PinnedKey(
                name=name,
                fingerprint=self.keys[name].fingerprint,
                keyring=keyring.read_bytes(),
            )

    def fetch_armored(self, name: str) -> str:
        """Fetch the key `keys.<name>` and return it as text, for rpm; raises as `fetch` does."""
        with self._pinned(name) as keyring:
            return gpg.armored(self.run, self.keys[name].fingerprint, keyring.parent)

    @contextmanager
    def _pinned(self, name: str) -> Iterator[Path]:
        """Yield a keyring with this key alone, in a gpg home of its own."""
        key = self.keys[name]
        what = f"the key '{name}'"
        url = key.url if ":" in key.url else (self.folder / key.url).resolve().as_uri()
        content = self.downloader.fetch_small(url, what)
        with tempfile.TemporaryDirectory(prefix="key-") as folder:
            home = Path(folder)
            (home / "published").write_bytes(content)
            try:
                keyring = gpg.pinned_keyring(self.run, home / "published", key.fingerprint, home)
            except VerificationError as error:
                raise VerificationError(
                    f"{what} is not the pinned one: {error.message}",
                    details="\n".join(filter(None, (url, error.details))),
                    hint=error.hint,
                ) from error
            yield keyring


def verify_detached(run: Runner, key: PinnedKey, *, data: bytes, signature: bytes) -> None:
    """Check a detached signature by exactly this key.

    Raises VerificationError.
    """
    with tempfile.TemporaryDirectory(prefix="signature-") as folder:
        paths = {name: Path(folder) / name for name in ("keyring", "signature", "data")}
        for name, content in (("keyring", key.keyring), ("signature", signature), ("data", data)):
            paths[name].write_bytes(content)
        found = gpgv.verify(run, **paths)
    if found != key.fingerprint:
        raise VerificationError(f"signed by {found}, not by the pinned key {key.fingerprint}")
