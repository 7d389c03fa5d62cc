"""What a machine wrote to its port, read strictly: it may be anything."""

from __future__ import annotations

import binascii
from base64 import b64decode
from dataclasses import dataclass

from immutable_base.boot.questions import END
from immutable_base.model.boot import GuestAnswer
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import parse_json

FIELDS = frozenset({"nonce", "question", "status", "text"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What came of a boot."""

    answers: tuple[GuestAnswer, ...] = ()
    complete: bool = False
    """Whether every question was asked: the last answer says so."""
    refused: str = ""
    """Why something was no answer of this boot's; empty if everything was."""


def read_answers(raw: bytes, nonce: str) -> Heard:
    """Return the answers that carry this boot's nonce; the rest is refused, with the reason."""
    answers: list[GuestAnswer] = []
    lines = raw.split(b"\n")
    for line in lines[:-1]:  # What follows the last line feed was cut off.
        try:
            answer = _answer(line, nonce)
        except ValueError as error:
            return Heard(answers=tuple(answers), refused=str(error))
        if answer.question == END:
            return Heard(answers=tuple(answers), complete=True)
        answers.append(answer)
    return Heard(answers=tuple(answers))


def _answer(line: bytes, nonce: str) -> GuestAnswer:
    try:
        document = parse_json(line, "an answer")
    except Skipped as one:
        raise ValueError(f"what came is no answer: {one.reason}") from one
    if not isinstance(document, dict) or frozenset(document) != FIELDS:
        raise ValueError("what came is no answer: its fields are not those of one")
    if document["nonce"] != nonce:
        raise ValueError("an answer has another nonce: it is not of this boot")
    question, status, text = document["question"], document["status"], document["text"]
    if not isinstance(question, str) or type(status) is not int or not isinstance(text, str):
        raise ValueError("what came is no answer: a field has another type")
    try:
        decoded = b64decode(text, validate=True).decode("utf-8", "replace")
    except binascii.Error as error:
        raise ValueError(f"the answer to '{question}' is not base64") from error
    return GuestAnswer(question=question, status=status, text=decoded.strip())


def target_seconds(text: str) -> dict[str, float]:
    """Return when each unit became active, in seconds after the kernel's start, if it ever did.

    `text`: of `systemctl show`, for each unit its name and a time in microseconds, a line each.
    """
    found: dict[str, float] = {}
    for block in text.split("\n\n"):
        fields = dict(line.partition("=")[::2] for line in block.splitlines())
        name, stamp = fields.get("Id", ""), fields.get("ActiveEnterTimestampMonotonic", "")
        if name and stamp.isdecimal() and stamp != "0":
            found[name] = round(int(stamp) / 1e6, 1)
    return found
