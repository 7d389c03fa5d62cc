"""The signature of a kernel module: PKCS#7, detached, without certificates, attributes and time.

With RSA (PKCS#1 v1.5) the same module and key give the same bytes. This is what the kernel's
scripts/sign-file.c makes: "CMS_NOCERTS | CMS_BINARY | CMS_NOSMIMECAP | CMS_NOATTR".
"""

from __future__ import annotations

from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import pkcs7

HASH = "sha256"
"""As sign-file and `modinfo -F sig_hashalgo` name it."""
OPTIONS = (
    pkcs7.PKCS7Options.DetachedSignature,
    pkcs7.PKCS7Options.Binary,
    pkcs7.PKCS7Options.NoAttributes,
    pkcs7.PKCS7Options.NoCerts,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModuleKey:
    """A certificate and its key, wherever that is."""

    certificate: x509.Certificate
    key: rsa.RSAPrivateKey

    def __repr__(self) -> str:
        """Return what may be logged."""
        return f"ModuleKey(serial={self.certificate.serial_number:x})"

    def sign(self, module: bytes) -> bytes:
        """Return the signature (DER) of a module, for `sign-file -s` to append."""
        builder = pkcs7.PKCS7SignatureBuilder().set_data(module)
        signed = builder.add_signer(
            self.certificate, self.key, hashes.SHA256(), rsa_padding=padding.PKCS1v15()
        )
        return signed.sign(serialization.Encoding.DER, OPTIONS)
