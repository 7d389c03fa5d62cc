"""Texts that more than one table of immutable-base.toml has."""

from __future__ import annotations

from typing import Annotated

from pydantic import StringConstraints

from immutable_base.config.trust import IDENTITY, NAME, SECURE_URL

Name = Annotated[str, StringConstraints(pattern=NAME)]
Fingerprint = Annotated[str, StringConstraints(pattern=r"^[0-9A-F]{40}$")]
Url = Annotated[str, StringConstraints(pattern=r"^https?://")]
SecureUrl = Annotated[str, StringConstraints(pattern=SECURE_URL)]
Identity = Annotated[str, StringConstraints(pattern=IDENTITY)]
