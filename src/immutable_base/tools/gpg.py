"""gpg: turn a published key file into a keyring that holds one pinned key and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from immutable_base.errors import CommandError, VerificationError
from immutable_base.process import Command, Runner

TIMEOUT = 30.0
FINGERPRINT_FIELD = 9  # doc/DETAILS of GnuPG: field 10 of an `fpr` record


def pinned_keyring(run: Runner, key_file: Path, fingerprint: str, folder: Path) -> Path:
    """Write and return a binary keyring with the key whose primary fingerprint is pinned.

    `folder` is a private, empty folder (mode 0700) and serves as gpg's home.
    Raises VerificationError if the file holds no key with that primary fingerprint, or if the key
    is revoked. One that has expired is taken: it was pinned on purpose, and old signatures stay.
    """
    try:
        _gpg(run, folder, "--import", str(key_file))
    except CommandError as error:
        raise VerificationError(
            "the file is not an OpenPGP key", details=error.details or error.message
        ) from error
    listing = _gpg(run, folder, "--with-colons", "--list-keys").decode()
    found = primary_fingerprints(listing)
    if fingerprint not in found:
        raise VerificationError(
            f"the configuration pins the key {fingerprint}, the file holds "
            f"{', '.join(found) or 'none'}",
            hint="if the key was rotated, check the new fingerprint by another way, then pin it",
        )
    if fingerprint in revoked_fingerprints(listing):
        raise VerificationError(
            f"the pinned key {fingerprint} was revoked by its owner",
            hint="find upstream's new key, check its fingerprint by another way, then pin it",
        )
    keyring = folder / "pinned.gpg"
    keyring.write_bytes(_gpg(run, folder, "--export", fingerprint))
    return keyring


def armored(run: Runner, fingerprint: str, folder: Path) -> str:
    """Return the pinned key of a folder that `pinned_keyring` filled, as dnf and rpm read it."""
    return _gpg(run, folder, "--armor", "--export", fingerprint).decode("ascii")


def primary_fingerprints(colons: str) -> tuple[str, ...]:
    """Return the fingerprints of the primary keys in gpg's colon listing, not of subkeys."""
    return tuple(fingerprint for fingerprint, _ in _primaries(colons))


def revoked_fingerprints(colons: str) -> tuple[str, ...]:
    """Return those of the primary keys that their owners have revoked."""
    return tuple(fingerprint for fingerprint, validity in _primaries(colons) if validity == "r")


def _primaries(colons: str) -> Iterator[tuple[str, str]]:
    """Yield fingerprint and validity (field 2 of a `pub` record) of each primary key."""
    validity: str | None = None
    for line in colons.splitlines():
        fields = line.split(":")
        if fields[0] == "pub":
            validity = fields[1]
        elif fields[0] == "fpr" and validity is not None:
            yield fields[FINGERPRINT_FIELD], validity
            validity = None


def _gpg(run: Runner, home: Path, *arguments: str) -> bytes:
    argv = ("gpg", "--batch", "--quiet", "--no-autostart", "--homedir", str(home), *arguments)
    return run(Command(argv=argv, timeout=TIMEOUT)).stdout
