"""The texts of immutable-base.toml that have a form; what to write is said in `forms`."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field, Strict, StringConstraints
from pydantic_core import PydanticCustomError

from immutable_base.config.trust import IDENTITY, NAME, PROJECT_ID, SECURE_URL, SOURCE_REF
from immutable_base.model.reference import DIGEST, REPOSITORY, TAG

BASE = f"^{REPOSITORY.pattern}(:{TAG.pattern})?(@{DIGEST.pattern})?$"
DESTINATION = f"^{REPOSITORY.pattern}$"
FINGERPRINT = r"^[0-9A-F]{40}$"
OPTIONAL_DESTINATION = f"^({REPOSITORY.pattern})?$"
RELEASE_NUMBER = r"^[0-9]+$"
URL = r"^https?://"
COMPOSE = "{compose}"
"""Stands in the URL of a repository for the compose that the base image was made from."""
RELEASE = "{release}"
"""Stands in the URL of a repository for the stream's release number."""
FIELD = re.compile(r"\{[^{}]*\}?|\}")
"""A field in a URL, or half of one; no address has these characters otherwise."""


def _require_known_fields(url: str) -> str:
    """Refuse a field that would be asked of a server as it stands there."""
    for field in FIELD.findall(url):
        if field not in {RELEASE, COMPOSE}:
            raise PydanticCustomError(
                "url_field",
                "'{field}': an address may hold {release} and {compose} only",
                {"field": field},
            )
    return url


def _distinct(paths: tuple[str, ...]) -> tuple[str, ...]:
    if len(set(paths)) != len(paths) or not all(paths):
        raise PydanticCustomError("key_paths", "key_paths names a file twice, or none")
    return paths


BaseReference = Annotated[str, StringConstraints(pattern=BASE)]
Destination = Annotated[str, StringConstraints(pattern=DESTINATION)]
Fingerprint = Annotated[str, StringConstraints(pattern=FINGERPRINT)]
Identity = Annotated[str, StringConstraints(pattern=IDENTITY)]
KeyPaths = Annotated[tuple[str, ...], Field(min_length=1, max_length=2), AfterValidator(_distinct)]
"""Files of public keys that hosts accept: the current one, and the next."""
Name = Annotated[str, StringConstraints(pattern=NAME)]
OptionalDestination = Annotated[str, StringConstraints(pattern=OPTIONAL_DESTINATION)]
ProjectId = Annotated[str, StringConstraints(pattern=PROJECT_ID)]
ReleaseNumber = Annotated[str, StringConstraints(pattern=RELEASE_NUMBER)]
SecureUrl = Annotated[str, StringConstraints(pattern=SECURE_URL)]
SourceRef = Annotated[str, StringConstraints(pattern=SOURCE_REF)]
Switch = Annotated[bool, Strict()]
"""Without quotation marks: `"no"` would be taken for an answer, and one day for the wrong one."""
Url = Annotated[str, StringConstraints(pattern=URL)]
RepositoryUrl = Annotated[Url, AfterValidator(_require_known_fields)]
