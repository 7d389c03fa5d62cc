"""Parsers with one reading only: what two programs could read differently is refused.

Go's decoder takes keys in any case and lets the last of two win; others take the first, or the
exact spelling. A text that means two things lets one program verify what another one believes.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Iterable
from typing import Any, NoReturn

from immutable_base.verification.skipped import Skipped

DEPTH = 64
"""Levels of arrays and objects; CycloneDX documents have about ten."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
HEX = re.compile(r"[0-9a-f]{64}")
_STRING_OR_BRACKET = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?|[\[{]|[\]}]', re.DOTALL)
"""Takes no more memory for a long string, and no more time for one without an end."""
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Object = dict[str, Any]


def parse_json(raw: bytes, what: str) -> Any:  # noqa: ANN401  any JSON value
    """Return the only value that `raw` can mean: UTF-8, no key twice, no NaN, not too deep.

    Raises Skipped, whose reason begins with `what`.
    """
    _require_shallow(raw, what)
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_no_constant,
            parse_float=_finite,
        )
        if _SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Skipped(f"{what} is not strict JSON: {error}") from error
    return value


def _require_shallow(raw: bytes, what: str) -> None:
    level = 0
    for found in _STRING_OR_BRACKET.finditer(raw):
        first = raw[found.start()]
        if first in b"[{":
            level += 1
        elif first in b"]}":
            level -= 1
        if level > DEPTH:
            raise Skipped(f"{what} is nested deeper than {DEPTH} levels")


def _without_duplicates(pairs: list[tuple[str, Any]]) -> Object:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is too large")
    return value


def require_object(value: object, what: str) -> Object:
    """Return a JSON object of which no two keys differ only in case; raises Skipped."""
    if not isinstance(value, dict):
        raise Skipped(f"{what} is not a JSON object")
    if len({key.casefold() for key in value}) != len(value):
        raise Skipped(f"{what} has keys that differ only in case")
    return value


def members(
    value: object, what: str, required: Iterable[str], optional: Iterable[str] = ()
) -> Object:
    """Return an object that has exactly the `required` keys, and perhaps `optional` ones.

    Raises Skipped.
    """
    found = require_object(value, what)
    missing = sorted(set(required) - set(found))
    foreign = sorted(set(found) - set(required) - set(optional))
    if missing:
        raise Skipped(f"{what} lacks {', '.join(missing)}")
    if foreign:
        raise Skipped(f"{what} has keys that do not belong there: {', '.join(foreign)[:200]}")
    return found


def text_of(value: object, what: str) -> str:
    """Return a JSON string; raises Skipped."""
    if not isinstance(value, str):
        raise Skipped(f"{what} is not a text")
    return value


def count_of(value: object, what: str) -> int:
    """Return a JSON integer that is not negative and fits into 63 bits; raises Skipped."""
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 1 << 63:
        raise Skipped(f"{what} is not a count")
    return value


def list_of(value: object, what: str) -> list[Any]:
    """Return a JSON array; raises Skipped."""
    if not isinstance(value, list):
        raise Skipped(f"{what} is not a list")
    return value


def decode_base64(text: object, what: str) -> bytes:
    """Return what a text in standard base64 holds, if nothing else would be encoded like it.

    Raises Skipped.
    """
    try:
        encoded = text_of(text, what).encode("ascii")
        found = base64.b64decode(encoded, validate=True)
    except (ValueError, binascii.Error) as error:
        raise Skipped(f"{what} is not base64") from error
    if base64.b64encode(found) != encoded:
        raise Skipped(f"{what} is not canonical base64")
    return found
