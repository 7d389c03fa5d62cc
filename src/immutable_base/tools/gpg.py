"""gpg: turn a published key file into a keyring that holds one pinned key and nothing else."""

from __future__ import annotations

from pathlib import Path

from immutable_base.errors import CommandError, VerificationError
from immutable_base.process import Command, Runner

TIMEOUT = 30.0
FINGERPRINT_FIELD = 9  # doc/DETAILS of GnuPG: field 10 of an `fpr` record


def pinned_keyring(run: Runner, key_file: Path, fingerprint: str, folder: Path) -> Path:
    """Write and return a binary keyring with the key whose primary fingerprint is pinned.

    `folder` is a private, empty folder (mode 0700) and serves as gpg's home.
    Raises VerificationError if the file holds no key with that primary fingerprint.
    """
    try:
        _gpg(run, folder, "--import", str(key_file))
    except CommandError as error:
        raise VerificationError(
            "the file is not an OpenPGP key", details=error.details or error.message
        ) from error
    found = primary_fingerprints(_gpg(run, folder, "--with-colons", "--list-keys").decode())
    if fingerprint not in found:
        raise VerificationError(
            f"the configuration pins the key {fingerprint}, the file holds "
            f"{', '.join(found) or 'none'}",
            hint="if the key was rotated, check the new fingerprint by another way, then pin it",
        )
    keyring = folder / "pinned.gpg"
    keyring.write_bytes(_gpg(run, folder, "--export", fingerprint))
    return keyring


def armored(run: Runner, fingerprint: str, folder: Path) -> str:
    """Return the pinned key of a folder that `pinned_keyring` filled, as dnf and rpm read it."""
    return _gpg(run, folder, "--armor", "--export", fingerprint).decode("ascii")


def primary_fingerprints(colons: str) -> tuple[str, ...]:
    """Return the fingerprints of the primary keys in gpg's colon listing, not of subkeys."""
    found, after_primary = [], False
    for line in colons.splitlines():
        fields = line.split(":")
        if fields[0] == "pub":
            after_primary = True
        elif fields[0] == "fpr" and after_primary:
            found.append(fields[FINGERPRINT_FIELD])
            after_primary = False
    return tuple(found)


def _gpg(run: Runner, home: Path, *arguments: str) -> bytes:
    argv = ("gpg", "--batch", "--quiet", "--no-autostart", "--homedir", str(home), *arguments)
    return run(Command(argv=argv, timeout=TIMEOUT)).stdout
