"""A text that two programs could read differently is refused, however long it is, in little time."""

import time
from random import Random

import pytest

from immutable_base.verification import strict
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import (
    DEPTH,
    count_of,
    decode_base64,
    members,
    parse_json,
    require_object,
)

AMBIGUOUS = [
    b'{"a":1,"a":1}', b'{"a":{"b":1,"b":2}}', b'[{"a":1,"\\u0061":2}]', b'{"a":{},"b":[{"c":":","c":1}]}', b"NaN", b"[Infinity]", b"-Infinity", b"1e400",
    b"[-1e999]", b"\xff", b'"\xc3"', b"\xef\xbb\xbf{}", "{}".encode("utf-16"), "{}".encode("utf-32"), b"", b" ", b"{",
    b"{}{}", b"{} x", b"{'a':1}", b'{"a":1,}', b"// x\n{}", b'"\\ud800"', b'["\\udfff\\ud800"]', b'{"\\ud800":1}', b'"a\nb"',
    b'"\\x41"', b"01", b"+1", b".5", b"0x1", b"[" * (DEPTH + 1) + b"]" * (DEPTH + 1), b"9" * 5000, b"tru", b"\x00",
]  # fmt: skip
PLAIN = {
    b'{"a":1,"b":[true,false,null,"x",1.5]}': {"a": 1, "b": [True, False, None, "x", 1.5]},
    b'"\\ud83d\\ude00"': "\U0001f600",
    '"\u2028"'.encode(): "\u2028",
    b'"[[[[{{{{"': "[[[[{{{{",
    b'"\\\\\\"["': '\\"[',
    b'{"a:":":","b":{"a:":"\\":"}}': {"a:": ":", "b": {"a:": '":'}},
    b'[{"a":1},{"a":1}]': [{"a": 1}, {"a": 1}],
    b"[" * DEPTH + b"]" * DEPTH: None,
}


@pytest.mark.parametrize("raw", AMBIGUOUS)
def test_what_has_no_one_meaning_is_refused(raw):
    with pytest.raises(Skipped, match="the text"):
        parse_json(raw, "the text")


@pytest.mark.parametrize("raw", PLAIN)
def test_what_has_one_meaning_is_read(raw):
    value = parse_json(raw, "the text")
    assert PLAIN[raw] is None or value == PLAIN[raw]


@pytest.mark.parametrize(
    "raw",
    [b'"\\"' * 400_000, b'"' * 999_999, b"\\" * 1_000_000, b'"' + b"\\\\" * 500_000, b"[" * 1_000_000, b'{"a":' * 200_000, b"]" * 1_000_000],
    ids=["escaped quotes", "quotes", "backslashes", "escapes", "brackets", "objects", "ends"],
)  # fmt: skip
def test_a_hostile_megabyte_takes_no_time(raw):
    began = time.process_time()
    with pytest.raises(Skipped, match=r"strict JSON|nested deeper than 64 levels"):
        parse_json(raw, "the text")
    assert time.process_time() - began < 2


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ({}, "lacks a, b"),
        ({"a": 1}, "lacks b"),
        ({"a": 1, "B": 2}, "lacks b"),
        ({"a": 1, "b": 2, "d": 3}, "keys that do not belong there: d"),
        ({"a": 1, "b": 2, "B": 2}, "keys that differ only in case"),
        ({"a": 1, "b": 2, "\u212a": 1, "k": 1}, "keys that differ only in case"),
        ([], "is not a JSON object"),
        (None, "is not a JSON object"),
        ("a", "is not a JSON object"),
    ],
)
def test_an_object_has_exactly_its_keys(value, words):
    with pytest.raises(Skipped, match=words):
        members(value, "it", ("a", "b"), ("c",))
    assert members({"a": 1, "b": 2}, "it", ("a", "b"), ("c",)) == {"a": 1, "b": 2}
    assert members({"b": 1, "a": 2, "c": 3}, "it", ("a", "b"), ("c",))["c"] == 3


@pytest.mark.parametrize(
    "other", ["PAYLOAD", "Payload", "payloaD", "pay\u017foad".replace("\u017f", "L")]
)
def test_keys_that_go_would_take_for_the_same_are_refused(other):
    with pytest.raises(Skipped, match="differ only in case"):
        require_object({"payload": 1, other: 2}, "it")


def test_letters_that_fold_to_ascii_are_the_same_key():
    for pair in ({"keyid": 1, "\u212aeyid": 2}, {"sig": 1, "\u017fig": 2}):
        with pytest.raises(Skipped, match="differ only in case"):
            require_object(pair, "it")


@pytest.mark.parametrize(
    "text",
    ["QQ", "QQ=", "QR==", "QQ==\n", " QQ==", "QQ==QQ==", "Q-_=", "ä", "QQ===", 7, None, ["QQ=="]],
)
def test_base64_has_one_spelling(text):
    words = "canonical base64" if text == "QR==" else "it is not (base64|a text)$"
    with pytest.raises(Skipped, match=words):
        decode_base64(text, "it")
    assert decode_base64("QQ==", "it") == b"A"


@pytest.mark.parametrize("value", [True, -1, 1.0, "1", None, 1 << 63, [], float("nan")])
def test_a_count_is_a_count(value):
    with pytest.raises(Skipped, match="it is not a count"):
        count_of(value, "it")
    assert count_of(0, "it") == 0


@pytest.mark.parametrize("string", [rb'"\\"', rb'"\""', rb'"\\\""', rb'"\\\\"', b'"]"', b'""'])
def test_depth_is_counted_behind_any_string(string):
    def nested_behind(levels):
        return b"[" + string + b"," + b"[" * levels + b"]" * levels + b"]"

    parse_json(nested_behind(DEPTH - 1), "the text")
    with pytest.raises(Skipped, match="nested deeper"):
        parse_json(nested_behind(DEPTH), "the text")


def written(value, random):
    """Write a value that is made of pairs; return the text, and whether a key stands twice in it."""
    if not isinstance(value, list):
        return random.choice(['":"', '"{\\""', '"\\\\"', "1", "null"]), False
    pairs = [written(item, random) for item in value]
    if random.random() < 0.4:
        return "[" + ",".join(text for text, _ in pairs) + "]", any(twice for _, twice in pairs)
    keys = [random.choice("ab:[") for _ in pairs]
    text = ",".join(f'"{key}" : {text}' for key, (text, _) in zip(keys, pairs, strict=True))
    return f"{{{text}}}", len(set(keys)) < len(keys) or any(twice for _, twice in pairs)


def nested(random, depth=0):
    return [nested(random, depth + 1) for _ in range(random.randrange(4))] if depth < 4 else None


def is_refused(text):
    try:
        parse_json(text.encode(), "the text")
    except Skipped:
        return True
    return False


@pytest.mark.parametrize("chunk", [1, 2, 7, strict.CHUNK])
def test_a_key_that_stands_twice_is_found_wherever_it_is(chunk, monkeypatch):
    monkeypatch.setattr(strict, "CHUNK", chunk)
    random = Random(7)
    texts = [written(nested(random), random) for _ in range(1500)]
    assert [text for text, twice in texts if is_refused(text) is not twice] == []
    assert {twice for _, twice in texts} == {True, False}
