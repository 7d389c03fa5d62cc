"""What comes out of a machine's port may be anything: only this boot's answers count."""

import json
from base64 import b64encode

import pytest

from immutable_base.boot.answers import read_answers

NONCE = "5e" * 16


def line(question="kernel", text="6.12.1\n", status=0, nonce=NONCE, **more):
    encoded = b64encode(text.encode()).decode()
    fields = {"nonce": nonce, "question": question, "status": status, "text": encoded, **more}
    return json.dumps(fields).encode() + b"\n"


def test_answers_up_to_the_last_one_are_the_boots():
    heard = read_answers(line() + line("usr", "no\n", status=1) + line("end", ""), NONCE)
    assert heard.complete
    assert [(it.question, it.status, it.text) for it in heard.answers] == [
        ("kernel", 0, "6.12.1"),
        ("usr", 1, "no"),
    ]


def test_without_the_last_answer_it_is_not_complete():
    assert not read_answers(line(), NONCE).complete


def test_a_line_that_was_cut_off_is_no_answer():
    heard = read_answers(line() + line("end", "")[:-1], NONCE)
    assert not heard.complete
    assert len(heard.answers) == 1


def test_an_answer_with_another_nonce_is_refused_and_nothing_after_it_counts():
    heard = read_answers(line(nonce="00" * 16) + line() + line("end", ""), NONCE)
    assert "another nonce" in heard.refused
    assert not heard.complete
    assert not heard.answers


@pytest.mark.parametrize(
    "raw",
    [
        b"login:\n",
        b"\xff\xfe\n",
        b"[]\n",
        b'{"nonce":"x"}\n',
        b'{"nonce":"a","nonce":"b","question":"q","status":0,"text":""}\n',
        line(more=1),
        line(status="0"),
        line(status=True),
        line().replace(b'"text": "', b'"text": "*'),
    ],
)
def test_what_is_no_answer_is_refused_with_a_reason(raw):
    heard = read_answers(raw + line("end", ""), NONCE)
    assert heard.refused
    assert not heard.complete


def test_bytes_that_are_no_text_do_no_harm():
    raw = line().replace(b64encode(b"6.12.1\n"), b64encode(b"\xff\x00"))
    assert read_answers(raw + line("end", ""), NONCE).answers[0].text == "�\x00"
