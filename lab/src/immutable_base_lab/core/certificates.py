"""The lab's own keys and certificates, made once."""

from __future__ import annotations

import datetime as dt
import ipaddress
import secrets
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from immutable_base_lab.core import cache
from immutable_base_lab.core.files import write_private
from immutable_base_lab.core.ports import LOOPBACK

VALID = dt.timedelta(days=3650)
SUBJECT_PREFIX = "immutable-base lab"


def ensure_keys(folder: Path) -> None:
    """Make the lab's keys and certificates unless they are there.

    `ca.pem` with `server.pem` and `server.key` for TLS; `fulcio.pem` with `fulcio.key` and
    `fulcio.password` for the certificate authority of signatures; `rekor.pub` with `rekor.key`
    for the log of signatures; `ctlog.pub` with `ctlog.key` for the log of certificates;
    `issuer.key` for the tokens; `database.password`.
    """
    cache.ensure(folder, cache.key_of("keys", 2), _make)


def _make(folder: Path) -> None:
    folder.chmod(0o700)
    _make_tls(folder)
    _make_fulcio(folder)
    for log in ("rekor", "ctlog"):
        _make_pair(folder / log)
    # GitLab signs its tokens with RSA keys.
    write_key(folder / "issuer.key", rsa.generate_private_key(public_exponent=65537, key_size=2048))
    write_private(folder / "database.password", secrets.token_hex(16).encode())


def _make_pair(stem: Path) -> None:
    key = ec.generate_private_key(ec.SECP256R1())
    write_key(stem.with_suffix(".key"), key)
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    stem.with_suffix(".pub").write_bytes(public)


def _make_tls(folder: Path) -> None:
    authority_key = ec.generate_private_key(ec.SECP256R1())
    name = name_of(f"{SUBJECT_PREFIX} CA")
    authority = _authority(name, authority_key, purpose=None)
    server_key = ec.generate_private_key(ec.SECP256R1())
    addresses = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address(LOOPBACK))]
    )
    server = (
        begin_certificate(name_of(f"{SUBJECT_PREFIX} registry"), name, server_key.public_key())
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(addresses, critical=False)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()),
            critical=False,
        )
        .sign(authority_key, hashes.SHA256())
    )
    write_certificate(folder / "ca.pem", authority)
    write_certificate(folder / "server.pem", server)
    write_key(folder / "server.key", server_key)


def _make_fulcio(folder: Path) -> None:
    key = ec.generate_private_key(ec.SECP384R1())
    # Fulcio's file CA checks itself for this purpose when it starts.
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
    certificate = _authority(name_of(f"{SUBJECT_PREFIX} fulcio"), key, purpose)
    password = secrets.token_hex(16).encode()
    write_certificate(folder / "fulcio.pem", certificate)
    write_key(folder / "fulcio.key", key, password)
    write_private(folder / "fulcio.password", password)


def name_of(common_name: str) -> x509.Name:
    """Return the name of a subject that has nothing else."""
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def begin_certificate(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey | rsa.RSAPublicKey
) -> x509.CertificateBuilder:
    """Begin a certificate that is valid from now on, for ten years."""
    now = dt.datetime.now(dt.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + VALID)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _authority(
    name: x509.Name, key: ec.EllipticCurvePrivateKey, purpose: x509.ExtendedKeyUsage | None
) -> x509.Certificate:
    builder = (
        begin_certificate(name, name, key.public_key())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(key_usage(digital_signature=False), critical=True)
    )
    if purpose is not None:
        builder = builder.add_extension(purpose, critical=False)
    return builder.sign(key, hashes.SHA256())


def key_usage(*, digital_signature: bool) -> x509.KeyUsage:
    """Return the usage of a key that signs data, or else certificates."""
    return x509.KeyUsage(
        digital_signature=digital_signature,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=not digital_signature,
        crl_sign=not digital_signature,
        encipher_only=False,
        decipher_only=False,
    )


def write_certificate(path: Path, certificate: x509.Certificate) -> None:
    """Write a certificate in PEM."""
    path.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))


def write_key(
    path: Path, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey, password: bytes | None = None
) -> None:
    """Write a private key in PEM that only its owner can read."""
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        protection = serialization.BestAvailableEncryption(password)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )
    write_private(path, pem)
