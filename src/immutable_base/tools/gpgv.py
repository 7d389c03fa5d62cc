"""gpgv: is this file signed by a key of this keyring? Nothing else is trusted."""

from __future__ import annotations

from pathlib import Path

from immutable_base.errors import CommandError, VerificationError
from immutable_base.process import Command, Runner

TIMEOUT = 30.0
NO_DATA = "no valid OpenPGP data found"
PAGE = "does the server answer with a page of its own where the file is missing?"


def verify(run: Runner, *, keyring: Path, signature: Path, data: Path) -> str:
    """Check a detached signature and return the primary fingerprint of the key that made it.

    Raises VerificationError unless every signature in the file is good and made by a key of the
    keyring.
    """
    return _signer(run, keyring, str(signature), str(data))


def verify_inline(run: Runner, *, keyring: Path, document: Path, content: Path) -> str:
    """Check a document that carries its signature; write what was signed to `content`.

    Returns the primary fingerprint of the key. Only `content` may be read, never the document: text
    outside the signature is not in it. Raises VerificationError as `verify` does, and removes
    `content` then.
    """
    content.unlink(missing_ok=True)
    try:
        return _signer(run, keyring, "--output", str(content), str(document))
    except VerificationError:
        content.unlink(missing_ok=True)
        raise


def _signer(run: Runner, keyring: Path, *arguments: str) -> str:
    argv = ("gpgv", "--status-fd", "1", "--keyring", str(keyring), *arguments)
    try:
        status = run(Command(argv=argv, timeout=TIMEOUT)).text
    except CommandError as error:
        if NO_DATA in (error.details or ""):
            raise VerificationError("the file holds no signature", hint=PAGE) from error
        raise VerificationError(
            "the signature is not good", details=error.details or error.message
        ) from error
    # gpgv writes VALIDSIG for a revoked subkey's signature as well. Source: GnuPG, doc/DETAILS.
    if "[GNUPG:] REVKEYSIG" in status:
        raise VerificationError("the key that signed was revoked by its owner", details=status)
    found = primary_fingerprint(status)
    if found is None:
        raise VerificationError("gpgv names no key that signed", details=status)
    return found


def primary_fingerprint(status: str) -> str | None:
    """Return the last field of gpgv's VALIDSIG line: the primary key's fingerprint."""
    # Not splitlines(): the name of a key's owner is in there, and may hold U+2028 and its like.
    for line in status.split("\n"):
        fields = line.split()
        if fields[:2] == ["[GNUPG:]", "VALIDSIG"]:
            return fields[-1]
    return None
