"""Keys and certificates of modules, as somebody has made them, sound and otherwise."""

import datetime as dt
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from immutable_base.config.module_signing import ModuleSigning
from immutable_base.module_signing import read_signer

NOW = dt.datetime(2026, 11, 24, tzinfo=dt.UTC)
NAME = "Example modules"


@cache
def rsa_key(size=2048, number=0):
    """Return a key that is made once for all tests; `number` tells several apart."""
    return rsa.generate_private_key(public_exponent=65537, key_size=size)


@cache
def ec_key():
    return ec.generate_private_key(ec.SECP256R1())


def certificate(
    key=None, *, name=NAME, serial=0x3A7C01, begins=-1, ends=365, purposes=(ExtendedKeyUsageOID.CODE_SIGNING,),
    signs=True, algorithm=None,
):  # fmt: skip
    """Return a self-signed certificate; `begins` and `ends` are days from NOW."""
    key = key or rsa_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)] if name else [])
    usage = {
        "digital_signature": signs, "content_commitment": False, "key_encipherment": False, "data_encipherment": False,
        "key_agreement": False, "key_cert_sign": not signs, "crl_sign": False, "encipher_only": False,
        "decipher_only": False,
    }  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(serial)
        .not_valid_before(NOW + dt.timedelta(days=begins))
        .not_valid_after(NOW + dt.timedelta(days=ends))
        .add_extension(x509.KeyUsage(**usage), critical=True)
    )
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(purposes), critical=False)
    return builder.sign(key, algorithm or hashes.SHA256())


def pem_of(key, passphrase=None) -> bytes:
    protection = (
        serialization.BestAvailableEncryption(passphrase)
        if passphrase
        else serialization.NoEncryption()
    )
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, protection
    )


def write_key(folder: Path, key=None, passphrase=None, mode=0o600) -> Path:
    path = folder / "module.key"
    path.write_bytes(pem_of(key or rsa_key(), passphrase))
    path.chmod(mode)
    return path


def write_certificate(folder: Path, found=None, name="module.pem") -> Path:
    encoding = serialization.Encoding.DER if name.endswith(".der") else serialization.Encoding.PEM
    path = folder / name
    path.write_bytes((found or certificate()).public_bytes(encoding))
    return path


def signer_of(folder: Path, found=None, following=None):
    """Return who signs by a certificate, as a plan has it."""
    table = ModuleSigning(
        certificate=str(write_certificate(folder, found)),
        next_certificate=str(write_certificate(folder, following, "next.pem")) if following else "",
    )
    return read_signer(table, folder, now=NOW.timestamp())
