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
LONGEST_NUMBER = 4000
"""Digits of a whole number. Python refuses to read longer ones, with words for programmers."""
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
HEX = re.compile(r"[0-9a-f]{64}")
CHUNK = 1 << 16
"""Bytes that are taken apart at once."""
_NO_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")

Object = dict[str, Any]


def parse_json(raw: bytes, what: str) -> Any:  # noqa: ANN401  any JSON value
    """Return the only value that `raw` can mean: UTF-8, no key twice, no NaN, not too deep.

    Raises Skipped, whose reason begins with `what`.
    """
    outside = _outside_strings(raw)
    _require_shallow(outside, what)
    keys = _KeyCount()
    try:
        value = json.loads(
            raw.decode("utf-8"),
            object_hook=keys.count,
            parse_constant=_no_constant,
            parse_int=_whole,
            parse_float=_finite,
        )
        keys.require(outside.count(b":"))
        if _SURROGATE.search(raw):
            json.dumps(value, ensure_ascii=False).encode()
    except (ValueError, RecursionError) as error:
        raise Skipped(f"{what} is not strict JSON: {error}") from error
    return value


def _outside_strings(raw: bytes) -> bytes:
    """Return what of a JSON text is outside its strings.

    Of a text that is none, all that comes before its first mistake, and anything after it.
    """
    if b"\\" in raw:
        # Pairs first: what then stands before a quote is what takes its meaning from it.
        raw = raw.replace(b"\\\\", b"").replace(b'\\"', b"")
    outside, inside = bytearray(), False
    for start in range(0, len(raw), CHUNK):
        pieces = raw[start : start + CHUNK].split(b'"')
        outside += b"".join(pieces[inside::2])
        inside ^= len(pieces) % 2 == 0
    return bytes(outside)


def _require_shallow(outside: bytes, what: str) -> None:
    """Raise Skipped if a text, of which what is outside strings is given, is nested too deep."""
    level = 0
    for bracket in outside.translate(None, _NO_BRACKETS):
        level += 1 if bracket in b"[{" else -1
        if level > DEPTH:
            raise Skipped(f"{what} is nested deeper than {DEPTH} levels")


class _KeyCount:
    """Counts the keys of objects: one that stands twice in an object is there once.

    To be told each pair of a key and a value instead takes several times as long.
    """

    def __init__(self) -> None:
        self.number = 0

    def count(self, found: Object) -> Object:
        """Count those of one object, and return it."""
        self.number += len(found)
        return found

    def require(self, written: int) -> None:
        """Raise ValueError unless there are as many as were written, each with its colon."""
        if self.number != written:
            raise ValueError("a key stands twice in an object")


def _no_constant(text: str) -> NoReturn:
    raise ValueError(f"{text} is no JSON")


def _whole(text: str) -> int:
    if len(text) > LONGEST_NUMBER:
        raise ValueError("a number is too large")
    return int(text)


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
