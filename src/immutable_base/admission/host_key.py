"""The host's own key: made once, never leaves the host, and refused if others could read it."""

from __future__ import annotations

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from immutable_base.admission.folder import Folder
from immutable_base.errors import HostError

PRIVATE, PUBLIC = "host.key", "host.pub"
"""Names of the files; policy.json names the second as `keyPath`."""
LARGEST = 16 << 10


def host_key(folder: Folder) -> ec.EllipticCurvePrivateKey:
    """Return the key, which is made if there is none; the public one lies beside it.

    The caller holds the folder alone. Raises HostError.
    """
    raw = folder.read(PRIVATE, LARGEST, secret=True)
    if raw is None:
        key = ec.generate_private_key(ec.SECP256R1())
        encoded = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        folder.write(PRIVATE, encoded, mode=0o600)
    else:
        key = _parse(raw, folder)
    public = key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    if folder.read(PUBLIC, LARGEST) != public:
        folder.write(PUBLIC, public)
    return key


def _parse(raw: bytes, folder: Folder) -> ec.EllipticCurvePrivateKey:
    try:
        key = load_pem_private_key(raw, password=None)
    except Exception as error:  # what the library raises for a file that is no key
        raise _unusable(folder) from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
        raise _unusable(folder)
    return key


def _unusable(folder: Folder) -> HostError:
    return HostError(
        f"{folder.path / PRIVATE} holds no private key of the curve P-256 in PEM",
        hint="remove it, and the next admission makes another one; what the old one admitted is "
        "then refused until it is admitted again",
    )
