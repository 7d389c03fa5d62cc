"""Whom a client believes that it speaks with: the CAs of TLS."""

from __future__ import annotations

import ssl
from pathlib import Path

from immutable_base.errors import ConfigurationError


class TlsTrust:
    """The system's CAs, and a private one if there is one.

    To read the system's takes as long as to verify an image. Where there is a private one, they are
    read when a server has a certificate for which it does not vouch.
    """

    def __init__(self, authority: Path | None) -> None:
        """Read a private CA; raises ConfigurationError if its file cannot be used."""
        self._is_whole = authority is None
        try:
            # Without a file it reads the system's.
            self.context = ssl.create_default_context(cafile=authority and str(authority))
        except (OSError, ValueError) as error:  # also ssl.SSLError
            raise ConfigurationError(
                f"registry.ca_bundle: {authority} cannot be used", details=str(error)
            ) from error

    def widen(self) -> bool:
        """Trust the system's CAs too; return whether they were not trusted before."""
        if self._is_whole:
            return False
        self.context.load_default_certs()
        self._is_whole = True
        return True
