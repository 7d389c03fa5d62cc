"""The keys that sign the modules of the lab's nights: one, and one to follow it."""

from __future__ import annotations

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from immutable_base.module_signing import KEY_VARIABLE
from immutable_base_lab.core import cache, certificates

NAME, NEXT_NAME = "module-signing", "module-signing-next"
"""Names of the files, `.key` and `.pem`."""
TABLE = "module_signing"
"""Of the product's configuration."""


def ensure(folder: Path) -> None:
    """Make both keys and their certificates, unless they are there."""
    cache.ensure(folder, cache.key_of("module keys", 1), _make)


def settings(folder: Path) -> dict[str, str]:
    """Return what the product's configuration says of them."""
    return {
        "certificate": str(folder / f"{NAME}.pem"),
        "next_certificate": str(folder / f"{NEXT_NAME}.pem"),
    }


def environment(folder: Path) -> dict[str, str]:
    """Return what a shell exports to sign modules."""
    return {KEY_VARIABLE: str(folder / f"{NAME}.key")}


def _make(folder: Path) -> None:
    folder.chmod(0o700)
    for stem in (NAME, NEXT_NAME):
        key = rsa.generate_private_key(public_exponent=65537, key_size=3072)
        name = certificates.name_of(f"{certificates.SUBJECT_PREFIX} {stem.replace('-', ' ')}")
        purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        certificate = (
            certificates.begin_certificate(name, name, key.public_key())
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(certificates.key_usage(digital_signature=True), critical=True)
            .add_extension(purpose, critical=False)
            .sign(key, hashes.SHA256())
        )
        certificates.write_certificate(folder / f"{stem}.pem", certificate)
        certificates.write_key(folder / f"{stem}.key", key)
