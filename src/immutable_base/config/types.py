"""Texts that more than one table of immutable-base.toml has."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

Name = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9._-]*$")]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{40}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://")]
_PORT_AND_PATH = r"(:[0-9]{1,5})?(/[!-~]*)?"
SecureUrl = Annotated[
    str,
    StringConstraints(
        pattern=r"^(https://([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9a-fA-F:]+\])"
        rf"|http://(127\.[0-9]+\.[0-9]+\.[0-9]+|localhost|\[::1\])){_PORT_AND_PATH}$"
    ),
]
"""https, or http to this machine; no user, no password, no space."""
Identity = Annotated[
    str, StringConstraints(pattern=r"^(https?://[A-Za-z0-9][!-~]+|[!-?A-~]+@[!-?A-~]+)$")
]
"""What a certificate can name: a URI, or an e-mail address."""
