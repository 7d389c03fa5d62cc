"""OpenPGP keys by their pins: the places they come from are not trusted, the pin is."""

from __future__ import annotations

import hashlib
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immutable_base.config.key import Key
from immutable_base.download import Downloader
from immutable_base.errors import ImmutableBaseError, RemoteError, VerificationError
from immutable_base.model.plan import KeyPlan
from immutable_base.process import Runner
from immutable_base.tools import gpg, gpgv

log = logging.getLogger(__name__)

ROTATED = "if the key was rotated, verify the new fingerprint out of band, then pin it"
REPLACED = "find upstream's new key, verify its fingerprint out of band, then pin it"


@dataclass(frozen=True, slots=True, kw_only=True)
class PinnedKey:
    """A key that the configuration names, fetched and compared with its pin."""

    name: str
    fingerprint: str
    keyring: bytes
    """Binary keyring with this key alone, for gpgv."""
    armored: str
    """The same key as text, for rpm."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyFetcher:
    """Fetches the keys of a configuration."""

    run: Runner
    downloader: Downloader
    keys: Mapping[str, Key]
    folder: Path
    """Where relative paths of keys begin."""

    def fetch(self, name: str) -> PinnedKey:
        """Return the key `keys.<name>` from the first of its places that has the pinned one.

        Raises RemoteError if no place gives a file, VerificationError if some do and none is the
        pinned key, or if no key is pinned.
        """
        key = self.keys[name]
        if not key.is_pinned:
            raise VerificationError(not_pinned(name))
        errors: dict[str, ImmutableBaseError] = {}
        for place in key.places:
            try:
                return judge(self.run, name, key, self.read(name, place))
            except (RemoteError, VerificationError) as error:
                log.warning("%s: %s", place, _said(place, error))
                errors[place] = error
        raise _nowhere(name, errors)

    def read(self, name: str, place: str) -> bytes:
        """Return what a place of a key has. Raises RemoteError if it gives nothing."""
        url = place if ":" in place else (self.folder / place).resolve().as_uri()
        return self.downloader.fetch_small(url, f"the key '{name}'")


def not_pinned(name: str) -> str:
    """Return what is said of a key without a pin."""
    return f"the key `{name}` is not pinned; `immutable-base keys check {name}` shows how"


def judge(run: Runner, name: str, key: Key, content: bytes) -> PinnedKey:
    """Return the pinned key of a key file.

    Raises VerificationError if the file does not hold it, or if it was revoked or has expired.
    """
    try:
        _require_file(key, content)
        return _only(run, name, content, key.fingerprint)
    except VerificationError as error:
        raise VerificationError(
            f"the key '{name}' is not the pinned one: {error.message}",
            details=error.details,
            hint=error.hint,
        ) from error


def judge_planned(run: Runner, key: Key, planned: KeyPlan) -> PinnedKey:
    """Return the key that a plan holds, if it is the one that the configuration pins now.

    Raises VerificationError.
    """
    name = planned.name
    pins = ((key.fingerprint, planned.fingerprint), (key.sha256, planned.file_sha256))
    if not key.is_pinned or any(pin not in {None, found} for pin, found in pins):
        raise VerificationError(
            f"the plan's key '{name}' is not the one that the configuration pins",
            details=f"plan: {planned.fingerprint}\nconfiguration: {key.fingerprint or key.sha256}",
            hint="was the pin changed after the plan was made? make the plan again",
        )
    return _only(run, name, planned.armored.encode(), planned.fingerprint)


def choose(file: gpg.KeyFile, fingerprint: str | None) -> gpg.ListedKey:
    """Return the key of a file that is pinned by its fingerprint, or else its only one.

    Raises VerificationError if it has none, several, or one that its owner revoked or that has
    expired. What a subkey is like does not matter here.
    """
    if not file.certificates:
        raise VerificationError("the file is not an OpenPGP key", details=file.said or None)
    listed = {key.fingerprint: key for key in file.keys}
    if not listed:
        raise VerificationError(
            f"gpg can read none of the {file.certificates} key(s) in the file",
            details=file.said,
            hint="keys of version 6 (post-quantum) are for newer programs: where is upstream's "
            "key of version 4?",
        )
    if fingerprint is None:
        if len(listed) > 1:
            raise VerificationError(
                f"the file holds several keys: {', '.join(listed)}",
                hint="pin the fingerprint of one of them as well",
            )
        fingerprint = next(iter(listed))
    if fingerprint not in listed:
        unread = file.certificates - len(listed)
        raise VerificationError(
            f"the configuration pins the key {fingerprint}, the file holds {', '.join(listed)}"
            + (f" and {unread} that gpg cannot read" if unread else ""),
            hint=ROTATED,
        )
    require_valid(listed[fingerprint])
    return listed[fingerprint]


def _require_file(key: Key, content: bytes) -> None:
    digest = hashlib.sha256(content).hexdigest()
    if key.sha256 not in {None, digest}:
        raise VerificationError(
            f"the configuration pins the file {key.sha256}, this one is {digest}",
            hint="was the file written anew, or the key rotated? verify it out of band",
        )


def require_valid(key: gpg.ListedKey) -> None:
    """Raise VerificationError if the owner has revoked a key, or it has expired."""
    if key.validity == gpg.REVOKED:
        raise VerificationError(
            f"the key {key.fingerprint} was revoked by its owner", hint=REPLACED
        )
    if key.validity == gpg.EXPIRED:
        raise VerificationError(
            f"the key {key.fingerprint} has expired",
            hint=f"a place may have an old copy: owners extend their keys; else {REPLACED}",
        )


def _only(run: Runner, name: str, content: bytes, fingerprint: str | None) -> PinnedKey:
    with tempfile.TemporaryDirectory(prefix="key-") as folder:
        home = Path(folder)
        found = choose(gpg.read_keys(run, content, home), fingerprint)
        return PinnedKey(
            name=name,
            fingerprint=found.fingerprint,
            keyring=gpg.export(run, found, home),
            armored=gpg.armored(run, found, home),
        )


def _nowhere(name: str, errors: Mapping[str, ImmutableBaseError]) -> ImmutableBaseError:
    """Return one error with what every place said; the worst of them decides its kind."""
    wrong = [error for error in errors.values() if isinstance(error, VerificationError)]
    worst = next(iter(wrong), next(iter(errors.values())))
    message = worst.message
    if len(errors) > 1:
        what = "has the pinned one" if wrong else "can be reached"
        message = f"the key '{name}': none of its {len(errors)} places {what}"
    details = "\n".join(f"{place}: {_said(place, error)}" for place, error in errors.items())
    return type(worst)(message, details=details, hint=worst.hint)


def _said(place: str, error: ImmutableBaseError) -> str:
    """Return an error without the place: in one line, unless a program said more."""
    more = [line for line in (error.details or "").splitlines() if line.strip() not in {"", place}]
    if len(more) == 1:
        return f"{error.message}: {more[0]}"
    return "\n  ".join((error.message, *more))


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
