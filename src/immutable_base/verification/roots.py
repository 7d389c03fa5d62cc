"""Whom we trust: the roots of Fulcio, and the keys of Rekor and of CT logs."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
)

from immutable_base.errors import ConfigurationError

TRUSTED_ROOT = "application/vnd.dev.sigstore.trustedroot+json"
"""Media type of a trusted_root.json; source: sigstore/protobuf-specs, sigstore_trustroot.proto."""
_BEGIN = b"-----BEGIN "
"""Begins each block of PEM, whole or not: none is left out without a word."""
_PEM_KEY = re.compile(rb"-----BEGIN PUBLIC KEY-----\s.+?-----END PUBLIC KEY-----\s?", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """When something is trusted, in seconds since 1970; None: without an end on that side."""

    start: float | None = None
    end: float | None = None

    def holds(self, when: int) -> bool:
        """Tell whether the moment lies in it."""
        return not (
            (self.start is not None and when < self.start)
            or (self.end is not None and when > self.end)
        )


ALWAYS = Period()


@dataclass(frozen=True, slots=True, kw_only=True)
class Authority:
    """A root certificate of Fulcio, with the intermediates that are known already."""

    root: x509.Certificate
    intermediates: tuple[x509.Certificate, ...] = ()
    period: Period = ALWAYS


@dataclass(frozen=True, slots=True, kw_only=True)
class LogKey:
    """The key of a transparency log (Rekor or CT)."""

    key: ec.EllipticCurvePublicKey
    period: Period = ALWAYS

    @property
    def log_id(self) -> bytes:
        """SHA-256 of the key's SubjectPublicKeyInfo; source: RFC 6962, 3.2."""
        encoded = self.key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return hashlib.sha256(encoded).digest()


@dataclass(frozen=True, slots=True, kw_only=True)
class TrustRoots:
    """All the trust in one instance of Sigstore; never a part of it."""

    instance: str
    """How the answer names the instance: Fulcio's URL."""
    authorities: tuple[Authority, ...]
    rekor: tuple[LogKey, ...]
    ct: tuple[LogKey, ...]
    """Empty only where `without_ct_log` was asked for by name."""
    source: str = ""
    """Where they were read, for people."""
    dated: int | None = None
    """The latest moment that a trusted_root.json names, in seconds since 1970: each rotation
    names a later one."""

    @property
    def sct_checked(self) -> bool:
        """Whether a certificate must prove that a CT log has seen it."""
        return bool(self.ct)

    @property
    def fingerprints(self) -> tuple[str, ...]:
        """What was trusted, one line for each root and key, with its SHA-256."""
        return (
            *(f"fulcio {_fingerprint(item.root)}" for item in self.authorities),
            *(f"rekor {item.log_id.hex()}" for item in self.rekor),
            *(f"ct {item.log_id.hex()}" for item in self.ct),
        )


def _fingerprint(certificate: x509.Certificate) -> str:
    return hashlib.sha256(certificate.public_bytes(Encoding.DER)).hexdigest()


def private_roots(*, instance: str, fulcio: bytes, rekor: bytes, ct: bytes | None) -> TrustRoots:
    """Return the trust in a private instance, from PEM files.

    `ct` is None for an instance without CT log. Raises ConfigurationError if a file does not hold
    what it should.
    """
    certificates = _certificates(fulcio)
    roots = [item for item in certificates if item.issuer == item.subject]
    others = tuple(item for item in certificates if item.issuer != item.subject)
    if not roots:
        raise ConfigurationError("signing.fulcio_root holds no self-signed certificate in PEM")
    return TrustRoots(
        instance=instance,
        authorities=tuple(Authority(root=root, intermediates=others) for root in roots),
        rekor=_keys(rekor, "signing.rekor_key"),
        ct=() if ct is None else _keys(ct, "signing.ct_log_key"),
        source="files that the configuration names",
    )


def _certificates(pem: bytes) -> list[x509.Certificate]:
    try:
        found = x509.load_pem_x509_certificates(pem)
    except (ValueError, Warning) as error:
        raise ConfigurationError(
            "signing.fulcio_root holds no certificate in PEM", details=str(error)
        ) from error
    if len(found) != pem.count(_BEGIN):
        raise ConfigurationError(
            "signing.fulcio_root must hold certificates in PEM, and nothing else"
        )
    return found


def _keys(pem: bytes, name: str) -> tuple[LogKey, ...]:
    try:
        keys = [load_pem_public_key(block) for block in _PEM_KEY.findall(pem)]
    except (ValueError, TypeError, Warning) as error:
        raise ConfigurationError(f"{name} cannot be read as PEM", details=str(error)) from error
    found = tuple(LogKey(key=k) for k in keys if isinstance(k, ec.EllipticCurvePublicKey))
    if not found or len(found) != pem.count(_BEGIN):
        raise ConfigurationError(f"{name} must hold ECDSA public keys in PEM, and nothing else")
    return found


def public_roots(raw: bytes, *, instance: str, source: str) -> TrustRoots:
    """Return the trust that a trusted_root.json describes; keys other than ECDSA are left out.

    Raises ConfigurationError if it is incomplete or not understood.
    """
    try:
        document = json.loads(raw)
        if not str(document["mediaType"]).startswith(TRUSTED_ROOT):
            raise ValueError(f"its mediaType is not {TRUSTED_ROOT}")  # noqa: TRY301  one place
        roots = TrustRoots(
            instance=instance,
            authorities=tuple(map(_authority, document["certificateAuthorities"])),
            rekor=tuple(_log_keys(document["tlogs"])),
            ct=tuple(_log_keys(document["ctlogs"])),
            source=source,
            dated=_dated(document),
        )
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, Warning) as error:
        raise ConfigurationError(
            f"the trusted_root.json is not understood: {source}",
            details=f"{type(error).__name__}: {error}",
        ) from error
    if not (roots.authorities and roots.rekor and roots.ct):
        raise ConfigurationError(
            f"the trusted_root.json is incomplete: {source}",
            details="it needs Fulcio's roots, and ECDSA keys of Rekor and of a CT log",
        )
    return roots


def _authority(entry: Any) -> Authority:  # noqa: ANN401  JSON
    chain = [
        x509.load_der_x509_certificate(base64.b64decode(item["rawBytes"], validate=True))
        for item in entry["certChain"]["certificates"]
    ]
    return Authority(
        root=chain[-1], intermediates=tuple(chain[:-1]), period=_period(entry["validFor"])
    )


def _log_keys(entries: Iterable[Any]) -> list[LogKey]:
    found = []
    for entry in entries:
        key = load_der_public_key(base64.b64decode(entry["publicKey"]["rawBytes"], validate=True))
        if isinstance(key, ec.EllipticCurvePublicKey):
            found.append(LogKey(key=key, period=_period(entry["publicKey"]["validFor"])))
    return found


def _dated(document: Any) -> int:  # noqa: ANN401  JSON
    logs = [*document["tlogs"], *document["ctlogs"]]
    entries = [*document["certificateAuthorities"], *(log["publicKey"] for log in logs)]
    periods = [_period(entry["validFor"]) for entry in entries]
    return int(max((moment for p in periods for moment in (p.start, p.end) if moment), default=0))


def _period(entry: Any) -> Period:  # noqa: ANN401  JSON
    start, end = (
        datetime.fromisoformat(entry[name]).timestamp() if entry.get(name) else None
        for name in ("start", "end")
    )
    return Period(start=start, end=end)
