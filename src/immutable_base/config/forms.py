"""What texts of a configuration look like, in words: who got one wrong is shown no pattern."""

from __future__ import annotations

from pydantic_core import ErrorDetails

from immutable_base.config.fleet import LOOKASIDE
from immutable_base.config.key import KEY_ID, PLACE, SHA256
from immutable_base.config.signing import SCOPE
from immutable_base.config.signing_keys import KEY_REFERENCE
from immutable_base.config.trust import IDENTITY, NAME, PROJECT_ID, SECURE_URL, SOURCE_REF
from immutable_base.config.types import (
    BASE,
    DESTINATION,
    FINGERPRINT,
    OPTIONAL_DESTINATION,
    RELEASE_NUMBER,
    URL,
)

SHOWN = 100
"""Characters of a text that is not of its form."""
_REPOSITORY = "host[:port]/path in small letters, without https:// and without a tag"
FORMS = {
    BASE: "registry/path:tag, without docker:// in front",
    DESTINATION: _REPOSITORY,
    FINGERPRINT: "40 hexadecimal digits, capitals, without spaces",
    IDENTITY: "the URL of a pipeline, or an e-mail address",
    KEY_ID: "8 to 40 hexadecimal digits, capitals",
    KEY_REFERENCE: "env://VARIABLE, hashivault://..., awskms://..., gcpkms://... or pkcs11:...",
    LOOKASIDE: "https://host/path, or http://... of this machine, without login and query",
    NAME: "small letters, digits and ._- after the first",
    OPTIONAL_DESTINATION: _REPOSITORY,
    PLACE: "https://..., file:///... or a path",
    PROJECT_ID: "GitLab's number of a project",
    RELEASE_NUMBER: "a number, in quotation marks",
    SCOPE: "a host, with or without a path in small letters",
    SECURE_URL: "https://..., or http://... of this machine",
    SHA256: "64 hexadecimal digits, small letters",
    SOURCE_REF: "a whole ref, such as refs/heads/main",
    URL: "http://... or https://...",
}
"""What to write, by the pattern that a text has to match."""
KINDS = {
    "bool_type": "this has to be true or false, without quotation marks",
    "dict_type": "this has to be a table",
    "model_type": "this has to be a table",
    "too_short": "this must not be empty",
    "tuple_type": "this has to be a list",
}
"""The same, by the type of pydantic's error."""


def explain(item: ErrorDetails) -> str:
    """Return what is wrong with a value, and where it can be told, what to write instead."""
    words = FORMS.get(item.get("ctx", {}).get("pattern", ""))
    if words is None:
        return KINDS.get(item["type"], str(item["msg"]))
    text = str(item["input"])
    return f"'{text[:SHOWN]}{'...' if len(text) > SHOWN else ''}' is not {words}"
