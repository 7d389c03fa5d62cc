"""gpg: turn a published key file into a keyring that holds one pinned key and nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from immutable_base.errors import CommandError, VerificationError
from immutable_base.process import Command, Runner

TIMEOUT = 30.0
FINGERPRINT_FIELD = 9
"""Field 10 of an `fpr` record. Source: GnuPG, doc/DETAILS."""
KEY_RECORDS = frozenset({"pub", "sub"})


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
    listing = _list_keys(run, folder)
    found = primary_fingerprints(listing)
    if fingerprint not in found:
        raise VerificationError(
            f"the configuration pins the key {fingerprint}, the file holds "
            f"{', '.join(found) or 'none'}",
            hint="if the key was rotated, verify the new fingerprint out of band, then pin it",
        )
    if fingerprint in revoked_fingerprints(listing):
        raise VerificationError(
            f"the pinned key {fingerprint} was revoked by its owner",
            hint="find upstream's new key, verify its fingerprint out of band, then pin it",
        )
    keyring = folder / "pinned.gpg"
    keyring.write_bytes(_gpg(run, folder, "--export", fingerprint))
    return keyring


def armored(run: Runner, fingerprint: str, folder: Path) -> str:
    """Return the pinned key of a folder that `pinned_keyring` filled, as dnf and rpm read it.

    Without revoked subkeys: what they sign is not to be trusted, and rpm 4.18 refuses to import
    a key that has one.
    """
    listing = _list_keys(run, folder, fingerprint)
    revoked = [key for record, key, how in _keys(listing) if record == "sub" and how == "r"]
    drop = " || ".join(f"fpr = {key}" for key in revoked)
    options = ("--export-filter", f"drop-subkey={drop}") if revoked else ()
    return _gpg(run, folder, *options, "--armor", "--export", fingerprint).decode("ascii")


def primary_fingerprints(colons: str) -> tuple[str, ...]:
    """Return the fingerprints of the primary keys in gpg's colon listing, not of subkeys."""
    return tuple(key for record, key, _ in _keys(colons) if record == "pub")


def revoked_fingerprints(colons: str) -> tuple[str, ...]:
    """Return those of the primary keys that their owners have revoked."""
    return tuple(key for record, key, how in _keys(colons) if record == "pub" and how == "r")


def _keys(colons: str) -> Iterator[tuple[str, str, str]]:
    """Yield record (`pub` or `sub`), fingerprint and validity of each key.

    Records that are too short to hold them are passed over. Source: GnuPG, doc/DETAILS.
    """
    record, validity = "", ""
    for line in colons.split("\n"):
        fields = line.split(":")
        if fields[0] in KEY_RECORDS:
            record, validity = fields[0], fields[1] if len(fields) > 1 else ""
        elif fields[0] == "fpr" and record:
            if len(fields) > FINGERPRINT_FIELD:
                yield record, fields[FINGERPRINT_FIELD], validity
            record = ""


def _list_keys(run: Runner, home: Path, *fingerprints: str) -> str:
    # Names of owners are in whatever encoding the owner had.
    listing = _gpg(run, home, "--with-colons", "--list-keys", *fingerprints)
    return listing.decode("utf-8", "replace")


def _gpg(run: Runner, home: Path, *arguments: str) -> bytes:
    argv = ("gpg", "--batch", "--quiet", "--no-autostart", "--homedir", str(home), *arguments)
    return run(Command(argv=argv, timeout=TIMEOUT)).stdout
