"""A public key as hosts and cosign read it."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_public_key,
)

from immutable_base.errors import ConfigurationError


def canonical_pem(raw: bytes, where: str) -> str:
    """Return the one text of an ECDSA P-256 public key; `where` names it in the error.

    That is what `cosign generate-key-pair` makes, and every containers/image reads. Raises
    ConfigurationError if it is something else, a private key above all.
    """
    if b"PRIVATE KEY" in raw:
        raise ConfigurationError(
            f"{where} holds a private key", hint="only its public half may be there"
        )
    if raw.count(b"-----BEGIN ") > 1:
        raise ConfigurationError(
            f"{where} holds more than one key", hint="each key has a file of its own"
        )
    try:
        key = load_pem_public_key(raw)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise ConfigurationError(f"{where} is not a public key in PEM") from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise ConfigurationError(
            f"{where} is not an ECDSA key on P-256",
            hint="`cosign generate-key-pair` makes one, with --kms in a KMS",
        )
    return key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def fingerprint(pem: str) -> str:
    """Return the SHA-256 of a canonical key's text: what `sha256sum FILE` in an image prints."""
    return hashlib.sha256(pem.encode()).hexdigest()
