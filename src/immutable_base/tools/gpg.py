"""gpg: which keys a key file holds, and a keyring with one of them and nothing else."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import VerificationError
from immutable_base.process import ANY_STATUS, Command, Result, Runner
from immutable_base.tools.openpgp import certificates

TIMEOUT = 30.0
MOST_KEYS = 200
"""Certificates of one file; Fedora's has one for each release."""
VALIDITY, CREATED, EXPIRES, FINGERPRINT, USER_ID = 1, 5, 6, 9, 9
"""Fields 2, 6, 7 and 10 of a record. Source: GnuPG, doc/DETAILS."""
REVOKED, EXPIRED = "r", "e"


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedKey:
    """A primary key as gpg lists it."""

    fingerprint: str
    validity: str
    """`r` if its owner has revoked it, `e` if it has expired. Source: GnuPG, doc/DETAILS."""
    created: int
    """Seconds since 1970; 0 where gpg does not say."""
    expires: int | None
    """Seconds since 1970; None if it never expires."""
    user_ids: tuple[str, ...] = ()
    revoked_subkeys: tuple[str, ...] = ()
    """Fingerprints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFile:
    """What a key file holds."""

    keys: tuple[ListedKey, ...] = ()
    certificates: int = 0
    """How many keys the file has, with those that gpg cannot read."""
    said: str = ""
    """What gpg said while it read them."""


def read_keys(run: Runner, content: bytes, home: Path) -> KeyFile:
    """Import every key of a file that gpg can read, and return what it lists then.

    gpg's exit status tells nothing: it is a failure as soon as one key of several cannot be read.
    `home` is a private, empty folder (mode 0700) and serves as gpg's home. Raises
    VerificationError if the file has more than `MOST_KEYS` keys, CommandError if gpg cannot be
    asked.
    """
    found = certificates(content)
    if len(found) > MOST_KEYS:
        raise VerificationError(f"the file holds more than {MOST_KEYS} keys")
    files = []
    for number, certificate in enumerate(found):
        files.append(home / f"certificate-{number}")
        files[-1].write_bytes(certificate)
    said = ""
    if files:
        said = _gpg(run, home, "--import", *map(str, files), ok=ANY_STATUS).stderr_tail
    # Names of owners are in whatever encoding the owner had.
    listing = _gpg(run, home, "--with-colons", "--list-keys").stdout.decode("utf-8", "replace")
    return KeyFile(keys=listed_keys(listing), certificates=len(found), said=said)


def export(run: Runner, key: ListedKey, home: Path) -> bytes:
    """Return a binary keyring with this key alone, for gpgv; `home` is that of `read_keys`."""
    return _gpg(run, home, "--export", key.fingerprint).stdout


def armored(run: Runner, key: ListedKey, home: Path) -> str:
    """Return this key alone, as dnf and rpm read it; `home` is that of `read_keys`.

    Without revoked subkeys: what they sign is not to be trusted, and rpm 4.18 refuses to import
    a key that has one.
    """
    drop = " || ".join(f"fpr = {subkey}" for subkey in key.revoked_subkeys)
    options = ("--export-filter", f"drop-subkey={drop}") if drop else ()
    return _gpg(run, home, *options, "--armor", "--export", key.fingerprint).stdout.decode("ascii")


def listed_keys(colons: str) -> tuple[ListedKey, ...]:
    """Return the primary keys of gpg's colon listing.

    Records that are too short to hold what they should are passed over. Source: GnuPG,
    doc/DETAILS.
    """
    return tuple(
        key for records in _by_primary_key(colons) if (key := _listed(records)) is not None
    )


def _by_primary_key(colons: str) -> Iterator[list[list[str]]]:
    """Yield the records of each primary key, split in fields."""
    records: list[list[str]] = []
    # Not splitlines(): the name of a key's owner is in there, and may hold U+2028 and its like.
    for fields in (line.split(":") for line in colons.split("\n")):
        if fields[0] == "pub":
            if records:
                yield records
            records = [fields]
        elif records:
            records.append(fields)
    if records:
        yield records


def _listed(records: Sequence[Sequence[str]]) -> ListedKey | None:
    primary = records[0]
    fingerprint = _fingerprint_after(records, 0)
    if fingerprint is None:
        return None
    revoked = [
        _fingerprint_after(records, index)
        for index, fields in enumerate(records)
        if fields[0] == "sub" and _field(fields, VALIDITY) == REVOKED
    ]
    return ListedKey(
        fingerprint=fingerprint,
        validity=_field(primary, VALIDITY),
        created=_seconds(_field(primary, CREATED)) or 0,
        expires=_seconds(_field(primary, EXPIRES)),
        user_ids=tuple(_field(fields, USER_ID) for fields in records if fields[0] == "uid"),
        revoked_subkeys=tuple(filter(None, revoked)),
    )


def _fingerprint_after(records: Sequence[Sequence[str]], index: int) -> str | None:
    """Return the fingerprint of the key whose record is at `index`: it is in the next record."""
    following = records[index + 1] if index + 1 < len(records) else ("",)
    return _field(following, FINGERPRINT) or None if following[0] == "fpr" else None


def _field(fields: Sequence[str], number: int) -> str:
    return fields[number] if len(fields) > number else ""


def _seconds(text: str) -> int | None:
    return int(text) if text.isascii() and text.isdigit() else None


def _gpg(run: Runner, home: Path, *arguments: str, ok: frozenset[int] = frozenset({0})) -> Result:
    argv = ("gpg", "--batch", "--quiet", "--no-autostart", "--homedir", str(home), *arguments)
    return run(Command(argv=argv, timeout=TIMEOUT, ok=ok))
