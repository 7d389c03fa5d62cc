"""Signed certificate timestamps: a CT log has seen the certificate; source: RFC 6962, 3.2."""

from __future__ import annotations

import hashlib
import struct
from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.certificate_transparency import (
    SignatureAlgorithm,
    SignedCertificateTimestamp,
)

from immutable_base.verification.roots import LogKey, TrustRoots
from immutable_base.verification.skipped import Skipped, skipping

_EPOCH = datetime(1970, 1, 1)  # noqa: DTZ001  the library's own times have no zone
_VERSION_1, _CERTIFICATE_TIMESTAMP, _PRECERTIFICATE = 0, 0, 1


def require_sct(certificate: x509.Certificate, issuer: x509.Certificate, roots: TrustRoots) -> None:
    """Refuse a certificate that no trusted CT log has signed for; raises Skipped."""
    if not roots.sct_checked:
        return
    with skipping("the certificate's SCT"):
        lists = [
            item.value
            for item in certificate.extensions
            if isinstance(item.value, x509.PrecertificateSignedCertificateTimestamps)
        ]
        stamps = [stamp for found in lists for stamp in found]
        if not stamps:
            raise Skipped("the certificate has no SCT: no CT log has seen it")
        if not any(_holds(stamp, certificate, issuer, roots) for stamp in stamps):
            raise Skipped("no trusted CT log has signed for the certificate")


def _holds(
    stamp: SignedCertificateTimestamp,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
    roots: TrustRoots,
) -> bool:
    milliseconds = (stamp.timestamp - _EPOCH) // timedelta(milliseconds=1)
    for log in roots.ct:
        if log.log_id == stamp.log_id and log.period.holds(milliseconds // 1000):
            return _is_signed_by(log, stamp, _signed(stamp, milliseconds, certificate, issuer))
    return False


def _is_signed_by(log: LogKey, stamp: SignedCertificateTimestamp, signed: bytes) -> bool:
    named = stamp.signature_hash_algorithm, stamp.signature_algorithm
    if not isinstance(named[0], hashes.SHA256) or named[1] is not SignatureAlgorithm.ECDSA:
        return False
    try:
        log.key.verify(stamp.signature, signed, ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        return False
    return True


def _signed(
    stamp: SignedCertificateTimestamp,
    milliseconds: int,
    certificate: x509.Certificate,
    issuer: x509.Certificate,
) -> bytes:
    """Return the bytes that the log has signed."""
    key = issuer.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    body = certificate.tbs_precertificate_bytes
    return b"".join(
        (
            struct.pack(">BBQH", _VERSION_1, _CERTIFICATE_TIMESTAMP, milliseconds, _PRECERTIFICATE),
            hashlib.sha256(key).digest(),
            len(body).to_bytes(3, "big"),
            body,
            len(stamp.extension_bytes).to_bytes(2, "big"),
            stamp.extension_bytes,
        )
    )
