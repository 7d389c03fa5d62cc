"""The report of a run as Markdown."""

from immutable_base.report.markdown import run_markdown
from support.run_reports import BAD, GOOD, report


def test_each_variant_is_a_row_and_errors_follow_in_full():
    lines = run_markdown(report(GOOD, BAD)).splitlines()
    assert lines[2].startswith(
        "| base-zfs | published | 6.12.117 (up) | zfs 2.3.9 | 412 | 300 MiB | 137 KiB |"
    )
    assert lines[3].startswith("| base | failed |")
    start = lines.index("```text")
    assert lines[start + 1 : start + 4] == BAD.error.splitlines()
    assert lines[start + 4] == "```"


def test_what_stands_in_a_cell_does_not_end_it():
    lines = run_markdown(report(GOOD.model_copy(update={"kernel": "6.12|x"}))).splitlines()
    assert "| 6.12\\|x (up) |" in lines[2]


def test_an_error_stays_in_its_block_and_foreign_words_in_their_line():
    bad = BAD.model_copy(update={"error": "```\n# a heading\x1b[2J"})
    text = run_markdown(report(bad))
    assert "````text\n```\n# a heading\\x1b[2J\n````" in text
    held = GOOD.model_copy(update={"reason": "x\n/approve <b>", "warnings": ("y\n/close",)})
    lines = run_markdown(report(held)).splitlines()
    assert not [line for line in lines if line.startswith("/")]
    assert any(r"\<b" in line for line in lines)
