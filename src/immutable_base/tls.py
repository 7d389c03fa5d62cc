"""Which certificate authorities are trusted: the system's, and the configured private one."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.errors import ConfigurationError
from immutable_base.workspace import write_atomically

DEBIAN_BUNDLE = "/etc/ssl/certs/ca-certificates.crt"
SYSTEM_BUNDLES = (DEBIAN_BUNDLE, "/etc/pki/tls/certs/ca-bundle.crt")
"""Where the usual distributions have the CA bundle (Debian, Fedora/EL)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tls:
    """The system's CAs, and perhaps a private one."""

    authority: Path | None = None
    """PEM file of the private CA, for our own HTTP client."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The same for programs; empty when no private CA is configured."""


def set_up_tls(authority: Path | None, folder: Path) -> Tls:
    """Write the CA bundle that programs read into `folder`, and return what names it.

    Go's crypto/x509 reads one bundle, named by SSL_CERT_FILE; so ours is the system's plus the
    private CA. Nothing is written when no private CA is configured.
    Raises ConfigurationError if its file is not there.
    """
    if authority is None:
        return Tls()
    if not authority.is_file():
        raise ConfigurationError(f"registry.ca_bundle: there is no file {authority}")
    bundle = folder / "ca-bundle.pem"
    # A shell may name the very bundle that is written here: it is not put into itself.
    system = [Path(path) for path in (os.environ.get("SSL_CERT_FILE"), *SYSTEM_BUNDLES) if path]
    parts = [path.read_text() for path in system if path != bundle and path.is_file()][:1]
    text = "\n".join([*parts, authority.read_text()])
    # Programs of another command may be reading it.
    if not bundle.is_file() or bundle.read_text() != text:
        write_atomically(bundle, text)
    return Tls(authority=authority, environment={"SSL_CERT_FILE": str(bundle)})
