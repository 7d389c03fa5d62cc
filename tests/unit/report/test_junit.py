"""The checks as JUnit XML: what is red, what is green, and what is neither."""

import xml.etree.ElementTree as ET

import pytest

from immutable_base.cli.main import main
from immutable_base.errors import ConfigurationError
from immutable_base.model.check import CheckedVariant, Finding, Level
from immutable_base.report.junit import checks_junit
from support.build_world import BuildWorld
from support.plans import plan
from support.stage_documents import FINE, leave_check, leave_facts


def finding(level, title="one kernel", message="", evidence=()):
    return Finding(
        id="x", title=title, reason="two boot neither", level=level, message=message, evidence=evidence
    )  # fmt: skip


def cases(*variants):
    root = ET.fromstring(checks_junit(variants))
    return {
        (case.get("classname"), case.get("name")): case for case in root.iterfind("testsuite/testcase")
    }  # fmt: skip


def states(*variants):
    return {key: [part.tag for part in case] for key, case in cases(*variants).items()}


def test_a_pass_is_green_a_note_is_green_with_its_words_and_an_error_is_red():
    found = cases(CheckedVariant(name="base", findings=(
        finding(Level.PASS, "passes"),
        finding(Level.NOTE, "notes", "the base has it too", ("a", "b")),
        finding(Level.ERROR, "fails", "two kernels", ("6.12.1", "6.12.2")),
    )))  # fmt: skip
    assert [part.tag for part in found["base", "passes"]] == []
    note = found["base", "notes"]
    assert [part.tag for part in note] == ["system-out"]
    assert note[0].text == "note: the base has it too\na\nb"
    failure = found["base", "fails"][0]
    assert (failure.tag, failure.get("message")) == ("failure", "two kernels")
    assert failure.text == "two kernels\n6.12.1\n6.12.2\n\ntwo boot neither"


def test_what_was_not_checked_is_never_green():
    error = ConfigurationError("there is no check.json", hint="`immutable-base check` makes it")
    found = states(
        CheckedVariant(name="held", held="the key `cuda` is not pinned"),
        CheckedVariant(name="failed", error=error),
        CheckedVariant(name="empty"),
    )
    assert list(found.values()) == [["skipped"], ["error"], ["error"]]


def test_two_findings_of_one_title_are_both_shown():
    """Of test cases with one name GitLab takes the first only."""
    two = (finding(Level.PASS), finding(Level.ERROR, message="bad"))
    assert states(CheckedVariant(name="base", findings=two)) == {
        ("base", "one kernel"): [], ("base", "one kernel (2)"): ["failure"],
    }  # fmt: skip


def test_suites_count_what_they_hold():
    two = (finding(Level.PASS), finding(Level.ERROR, "other"))
    suites = ET.fromstring(checks_junit([
        CheckedVariant(name="a", findings=two), CheckedVariant(name="b", held="x"),
    ]))  # fmt: skip
    counts = [
        [s.get(k) for k in ("name", "tests", "failures", "errors", "skipped")] for s in suites
    ]
    assert counts == [["a", "2", "1", "0", "0"], ["b", "1", "0", "0", "1"]]


@pytest.mark.parametrize(
    "text", ["\x1b[31mred", "nul \x00", "\x0b", "no \ufffe", "]]>", "<a>&amp;", '"']
)
def test_whatever_a_package_says_the_document_can_be_read(text):
    words = (finding(Level.ERROR, message=text, evidence=(text,)),)
    failure = cases(CheckedVariant(name="base", findings=words))["base", "one kernel"][0]
    assert "\x1b" not in failure.text
    if text.isprintable() and text.isascii():
        assert failure.text.startswith(text)


def test_an_error_that_quotes_half_a_character_can_be_read():
    error = ConfigurationError("there is no \udcff.json")
    case = cases(CheckedVariant(name="base", error=error))["base", "the image is checked"]
    assert case[0].get("message") == "there is no \\udcff.json"


@pytest.mark.parametrize(
    ("variant", "code"),
    [
        (CheckedVariant(name="x", findings=(FINE,)), 0),
        (CheckedVariant(name="x", findings=(FINE, finding(Level.NOTE))), 0),
        (CheckedVariant(name="x", findings=(FINE, finding(Level.ERROR))), 10),
        (CheckedVariant(name="x", held="wait"), 0),
        (CheckedVariant(name="x", error=ConfigurationError("no")), 2),
    ],
)
def test_the_exit_code_is_that_of_the_worst(variant, code):
    assert variant.exit_code == code


def test_a_run_that_published_nothing_is_reported_by_its_checks(tmp_path, capsys):
    """As in a merge request: built and checked, and nothing else."""
    world = BuildWorld(tmp_path, plan())
    world.run_all()
    documents, variant = world.context.documents, plan().variants[0]
    leave_facts(documents, variant)
    leave_check(documents, variant)
    target = tmp_path / "checks.xml"
    workspace = str(world.context.workspace)
    code = main(["report", "--format", "junit", "--workspace", workspace, "--output", str(target)])
    root = ET.parse(target).getroot()
    assert code == 2, "variants without a check"
    assert {s.get("name"): [p.tag for c in s for p in c] for s in root} == {
        "base": [], "base-zfs": ["error"], "base-zfs-again": ["error"], "base-zfs-old": ["error"],
        "base-held": ["skipped"],
    }  # fmt: skip
