"""What commands share: where a result goes, and how it looks there."""

import argparse
import sys
from pathlib import Path

import pytest

from immutable_base.cli.options import add_workers_argument, wants_colour
from immutable_base.cli.verify import _moment, _seconds


class Output:
    def __init__(self, terminal):
        self.terminal = terminal

    def isatty(self):
        return self.terminal


@pytest.mark.parametrize(
    ("terminal", "no_color", "output", "coloured"),
    [
        (True, None, None, True),
        (False, None, None, False),
        (True, "1", None, False),
        (True, None, Path("report.txt"), False),
    ],
)
def test_colour_is_for_a_terminal_whose_user_wants_it(
    monkeypatch, terminal, no_color, output, coloured
):
    monkeypatch.setattr(sys, "stdout", Output(terminal))
    monkeypatch.delenv("NO_COLOR", raising=False)
    if no_color:
        monkeypatch.setenv("NO_COLOR", no_color)
    assert wants_colour(output) is coloured


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("2026-11-26T04:05:56Z", 1795665956),
        ("2026-11-26T04:05:56.000Z", 1795665956),
        ("2026-11-26T04:05:56.9Z", 1795665957),
        ("2026-11-26T04:05:56.0000000001Z", 1795665957),
        ("2026-11-26T05:05:56+01:00", 1795665956),
        ("9999-12-31T23:59:59Z", 253402300799),
    ],
)
def test_a_time_is_read_to_the_second_and_a_part_of_one_counts_as_whole(text, seconds):
    assert _moment(text) == seconds


@pytest.mark.parametrize(
    "text",
    [
        "2026-W48", "20261126", "2026-11-26", "2026-11-26T04:05:56", "2026-11-26 04:05:56Z", "2026-11-26T04:05Z",
        "9999-12-31T23:59:59-23:59", "9999-12-31T23:59:59.5Z", "0001-01-01T00:00:00+23:59", "1969-12-31T23:59:59Z",
        "2026-02-30T00:00:00Z", "2026-11-26T04:05:56+24:00", "\u0662\u0660\u0662\u0666-11-26T04:05:56Z", "2026-11-26T04:05:56Z\n", "",
    ],
)  # fmt: skip
def test_what_is_no_time_with_its_zone_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not a time with its zone"):
        _moment(text)


@pytest.mark.parametrize(
    "text", ["1_0", "\u0661\u0660", "0", "-1", "3601", "nan", "inf", "1e1", " 1", ""]
)
def test_what_is_no_timeout_is_refused(text):
    with pytest.raises(argparse.ArgumentTypeError, match="is not between 0 and 3600 seconds"):
        _seconds(text)


def test_a_timeout_may_have_a_fraction():
    assert (_seconds("2"), _seconds("0.5"), _seconds("3600")) == (2.0, 0.5, 3600.0)


@pytest.mark.parametrize("text", ["x", "0", "-1", "1_0", "\u0663", "1.0", ""])
def test_what_is_no_number_of_workers_is_told_in_words(text, capsys):
    parser = argparse.ArgumentParser(exit_on_error=False)
    add_workers_argument(parser)
    with pytest.raises(argparse.ArgumentError, match="is not a whole number from 1"):
        parser.parse_args([f"--workers={text}"])
    assert parser.parse_args(["--workers=16"]).workers == 16
