"""From `[module_signing]` to who signs modules, and from the environment to the key.

What a kernel asks of a certificate is in crypto/asymmetric_keys/ of its sources: x509_cert_parser.c
and pkcs7_verify.c. It compares no dates where a signature has no time, as ours, and reads
no extendedKeyUsage; shim and the kernels of some distributions do. So both are asked for here.
"""

from __future__ import annotations

import base64
import stat
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from immutable_base.config.module_signing import ModuleSigning
from immutable_base.errors import ConfigurationError
from immutable_base.model.module_signer import ModuleSigner
from immutable_base.process import Runner
from immutable_base.tools.module_signature import ModuleKey
from immutable_base.tools.pkcs11 import SCHEME, open_token_key

KEY_VARIABLE = "IMMUTABLE_BASE_MODULE_KEY"
"""A file, a PEM text, or a PKCS#11 URI."""
PASSPHRASE_VARIABLE = "IMMUTABLE_BASE_MODULE_KEY_PASSPHRASE"  # noqa: S105  a name, no secret
"""The passphrase of a PEM key, or the PIN of a token."""
KEY_SIZES = (2048, 3072, 4096)
"""Bits. The kernel's RSA knows no more, and fewer are not to be used any more."""
HOW_TO = "docs/how-to/secure-boot.md has the commands that make a key and its certificate"
PEM_BEGIN = "-----BEGIN"
OTHERS = stat.S_IRWXG | stat.S_IRWXO


def read_signer(table: ModuleSigning, folder: Path, *, now: float) -> ModuleSigner:
    """Return who signs modules, by the configured certificates.

    Relative files begin at `folder`; `now` is in seconds since 1970. Raises ConfigurationError: a
    file is missing or holds no certificate, or kernels would refuse what it signs.
    """
    today = datetime.fromtimestamp(now, UTC)
    certificate = _read(table.certificate, folder, today)
    following = _read(table.next_certificate, folder, today) if table.next_certificate else None
    return ModuleSigner(
        name=_issuer(certificate),
        key_id=_key_id(certificate.serial_number),
        certificate=_base64(certificate),
        next_certificate=_base64(following) if following else None,
    )


def open_module_key(run: Runner, signer: ModuleSigner, environment: Mapping[str, str]) -> ModuleKey:
    """Return the key that `$IMMUTABLE_BASE_MODULE_KEY` names, if it is the certificate's.

    Raises ConfigurationError: there is none, it cannot be read or used, others can read it, or it
    is another one; ToolMissingError without pkcs11-tool for a token. No error shows its text.
    """
    certificate = x509.load_der_x509_certificate(base64.b64decode(signer.certificate))
    text = environment.get(KEY_VARIABLE, "").strip()
    secret = environment.get(PASSPHRASE_VARIABLE) or None
    if not text:
        raise ConfigurationError(
            f"modules are to be signed by {signer.name}, and ${KEY_VARIABLE} is not set",
            hint="set it to a file, a PEM text or a PKCS#11 URI (GitLab gives a protected variable "
            "to jobs of protected branches only), or plan modules without a signature: --unsigned",
        )
    if text.startswith(SCHEME):
        key: rsa.RSAPrivateKey = open_token_key(
            run, text, certificate, pin=secret, environment=environment
        )
    elif PEM_BEGIN in text:
        key = _load(text.encode(), secret, where=f"the text in ${KEY_VARIABLE}")
    else:
        key = _load(_read_private(Path(text)), secret, where=f"the file in ${KEY_VARIABLE}")
    if key.public_key() != certificate.public_key():
        raise ConfigurationError(
            f"the key in ${KEY_VARIABLE} is not that of the certificate of {signer.name}",
            hint="`module_signing.certificate` in the configuration names the certificate, and a "
            "plan keeps the one that it was made with",
        )
    return ModuleKey(certificate=certificate, key=key)


def _read(name: str, folder: Path, today: datetime) -> x509.Certificate:
    path = (folder / name).resolve()
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"the configuration names {path}, which cannot be read: {error.strerror}", hint=HOW_TO
        ) from error
    if b"PRIVATE KEY" in content:
        raise ConfigurationError(
            f"{path} holds a private key, and images would carry it",
            hint=f"`module_signing` names certificates; the key belongs into ${KEY_VARIABLE}",
        )
    try:
        certificate = _parse(content)
        mistakes = _mistakes(certificate, today)
    except ValueError as error:
        raise ConfigurationError(
            f"{path} is not one X.509 certificate", details=str(error)[:300], hint=HOW_TO
        ) from error
    if mistakes:
        raise ConfigurationError(
            f"hosts would not accept modules signed with the certificate {path}",
            details="\n".join(mistakes),
            hint=HOW_TO,
        )
    return certificate


def _parse(content: bytes) -> x509.Certificate:
    """Read one certificate, PEM or DER. Raises ValueError."""
    if PEM_BEGIN.encode() not in content:
        return x509.load_der_x509_certificate(content)
    found = x509.load_pem_x509_certificates(content)
    if len(found) != 1:
        raise ValueError(f"it holds {len(found)} certificates")
    return found[0]


def _mistakes(certificate: x509.Certificate, today: datetime) -> list[str]:
    """Return why a host would refuse what it signs, or why nobody should rely on it."""
    found, key = [], certificate.public_key()
    if not isinstance(key, rsa.RSAPublicKey):
        found.append("its key is not RSA: with others no two signatures are the same")
    elif key.key_size not in KEY_SIZES:
        sizes = ", ".join(map(str, KEY_SIZES))
        found.append(f"its key has {key.key_size} bits; kernels and we know {sizes}")
    if not isinstance(
        certificate.signature_hash_algorithm, hashes.SHA256 | hashes.SHA384 | hashes.SHA512
    ):
        found.append("it is not signed with SHA-256, SHA-384 or SHA-512")
    if certificate.not_valid_before_utc > today:
        found.append(f"it is not valid before {certificate.not_valid_before_utc:%Y-%m-%d %H:%M}")
    if certificate.not_valid_after_utc < today:
        found.append(f"it has expired on {certificate.not_valid_after_utc:%Y-%m-%d}")
    if not certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME):
        found.append("its issuer has no common name, by which `modinfo` shows the signer")
    return found + _wrong_usage(certificate.extensions)


def _wrong_usage(extensions: x509.Extensions) -> list[str]:
    found = []
    try:
        usage = extensions.get_extension_for_class(x509.KeyUsage).value
        if not usage.digital_signature:
            found.append("its keyUsage does not have digitalSignature")
    except x509.ExtensionNotFound:
        pass
    try:
        purposes = extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
        if ExtendedKeyUsageOID.CODE_SIGNING not in purposes:
            found.append("its extendedKeyUsage does not have codeSigning")
    except x509.ExtensionNotFound:
        pass
    return found


def _issuer(certificate: x509.Certificate) -> str:
    name = certificate.issuer.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
    return name if isinstance(name, str) else name.decode("utf-8", "replace")


def _key_id(serial: int) -> str:
    """Return a serial number as kmod shows it: its bytes, without leading zeros."""
    return serial.to_bytes((serial.bit_length() + 7) // 8, "big").hex(":").upper()


def _base64(certificate: x509.Certificate) -> str:
    der = certificate.public_bytes(serialization.Encoding.DER)
    return base64.b64encode(der).decode("ascii")


def _read_private(path: Path) -> bytes:
    """Read a key file that nobody else can read. No error shows its name: it may be a key."""
    try:
        mode = path.stat().st_mode
        if not stat.S_ISREG(mode):
            raise ConfigurationError(f"${KEY_VARIABLE} names no file", hint=HOW_TO)
        if mode & OTHERS:
            raise ConfigurationError(
                f"others than its owner can read the key file that ${KEY_VARIABLE} names "
                f"(mode {stat.S_IMODE(mode):04o})",
                hint="`chmod 600`; in GitLab a variable of type File is readable by all in its "
                "container: use type Variable, which holds the PEM text",
            )
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no file name"
        raise ConfigurationError(
            f"the key file that ${KEY_VARIABLE} names cannot be read: {reason}",
            hint="it holds a file name, a PEM text that begins with '-----BEGIN', or a URI that "
            "begins with 'pkcs11:'",
        ) from error


def _load(content: bytes, passphrase: str | None, *, where: str) -> rsa.RSAPrivateKey:
    encrypted = b"ENCRYPTED" in content
    if encrypted and not passphrase:
        raise ConfigurationError(
            f"{where} has a passphrase", hint=f"set ${PASSPHRASE_VARIABLE} to it"
        )
    password = passphrase.encode() if encrypted and passphrase else None
    try:
        key = serialization.load_pem_private_key(content, password)
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{where} is no private key in PEM"
            + (f", or ${PASSPHRASE_VARIABLE} is not its passphrase" if encrypted else ""),
            hint=HOW_TO,
        ) from error
    except UnsupportedAlgorithm as error:
        raise ConfigurationError(f"{where} cannot be used: {error}", hint=HOW_TO) from error
    if not isinstance(key, rsa.RSAPrivateKey):
        raise ConfigurationError(f"{where} is no RSA key", hint=HOW_TO)
    return key
