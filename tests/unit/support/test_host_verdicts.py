"""The table of what hosts say: it names what there is, and no host is said to admit too much."""

from support.host_corpus import CASES
from support.host_verdicts import (
    STOPPED,
    TAKEN,
    TEXT_DIFFERENCES,
    UNREADABLE,
    document,
    expected,
    expected_text,
)
from support.scene import OK
from support.signature_cases import TEXTS


def test_the_tables_name_cases_that_there_are():
    assert set(CASES) >= {*UNREADABLE, *STOPPED, *TAKEN}
    assert set(TEXTS) >= set(TEXT_DIFFERENCES)


def test_a_difference_is_named_only_where_there_is_one():
    assert [name for name in (*UNREADABLE, *TAKEN) if CASES[name][1] == OK] == []
    assert [name for name in STOPPED if CASES[name][1] != OK] == []


def test_the_program_admits_what_verify_accepts_and_nothing_else():
    for name in CASES:
        found = expected(name)
        assert found.admitted is (found.verify == found.admission == OK), name


def test_nothing_is_published_that_a_host_would_refuse():
    assert [n for n in TEXTS if expected_text(n).counted and not expected_text(n).taken] == []


def test_every_case_has_its_line_on_the_page():
    lines = document().splitlines()
    assert not [name for name in (*CASES, *TEXTS) if "|" in name]
    for name in CASES:
        assert any(line.startswith(f"| {name.partition(': ')[2]} | ") for line in lines), name
    rows = [
        line for line in lines if line.count("|") == 7 and not line.startswith(("| case", "|---"))
    ]
    assert len(rows) == len(CASES)
