"""Whose signature modules have, and the certificates that hosts enrol for it."""

from __future__ import annotations

import base64
import hashlib
from typing import Annotated

from pydantic import StringConstraints

from immutable_base.model.document import Frozen, Text

CERTIFICATE, NEXT_CERTIFICATE = "module-signing.der", "module-signing-next.der"
"""File names of the certificates for hosts, in `SECURE_BOOT` of an image."""
SECURE_BOOT = "usr/share/immutable-base/secure-boot"
"""Folder of the certificates in an image, below its root."""
Base64 = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9+/]+={0,2}$")]


class ModuleSigner(Frozen):
    """Whose signature the modules that we build get, and what hosts enrol for it."""

    name: Text
    """Common name of the certificate's issuer, as `modinfo -F signer` shows it."""
    key_id: str
    """Serial number of the certificate, as `modinfo -F sig_key` shows it: `3A:7C:...`."""
    certificate: Base64
    """The certificate, in DER."""
    next_certificate: Base64 | None = None
    """The one that will sign after it, for hosts to enrol beforehand; null: none."""

    @property
    def certificates(self) -> dict[str, bytes]:
        """The certificates that images carry, in DER, by their file names."""
        found = {CERTIFICATE: self.certificate, NEXT_CERTIFICATE: self.next_certificate}
        return {name: base64.b64decode(text) for name, text in found.items() if text}

    @property
    def sha256(self) -> str:
        """SHA-256 of the certificate, as `openssl x509 -fingerprint -sha256` shows it elsewhere."""
        return hashlib.sha256(base64.b64decode(self.certificate)).hexdigest()
