"""What commands share: where a result goes, and how it looks there."""

import argparse
import os
import stat
import sys
import threading
from pathlib import Path

import pytest

from immutable_base.cli.options import (
    add_context_arguments,
    add_output_arguments,
    add_unsigned_argument,
    add_workers_argument,
    wants_colour,
    write_result,
)
from immutable_base.cli.verify import _moment, _seconds
from immutable_base.errors import HostError


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
    ("variable", "words", "unsigned"),
    [(None, (), False), ("", (), False), ("false", (), False), ("true", (), True), (None, ("--unsigned",), True)],
)  # fmt: skip
def test_modules_are_unsigned_if_an_option_or_a_jobs_variable_says_so(
    monkeypatch, variable, words, unsigned
):
    monkeypatch.delenv("IMMUTABLE_BASE_UNSIGNED", raising=False)
    if variable is not None:
        monkeypatch.setenv("IMMUTABLE_BASE_UNSIGNED", variable)
    parser = argparse.ArgumentParser()
    add_unsigned_argument(parser)
    assert parser.parse_args(words).unsigned is unsigned


def test_a_result_replaces_a_file_as_a_whole(tmp_path):
    path = tmp_path / "new" / "result"
    write_result("one", path)
    write_result("two\n", path)
    assert path.read_text() == "two\n"
    assert [entry.name for entry in path.parent.iterdir()] == ["result"]


def test_a_result_goes_through_a_link_to_the_file_that_it_names(tmp_path):
    (tmp_path / "file").write_text("old")
    (tmp_path / "link").symlink_to("file")
    write_result("new", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "file").read_text() == "new\n"


def test_what_is_no_file_is_written_to_and_stays_what_it_is(tmp_path):
    """As /dev/null and /dev/stdout are, which root would otherwise lose."""
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    write_result("words", pipe)
    reader.join(10)
    assert read == ["words\n"]
    assert stat.S_ISFIFO(pipe.stat().st_mode)


def test_a_result_that_cannot_be_written_is_an_error_of_this_host(tmp_path):
    with pytest.raises(HostError, match="cannot be written to /proc/nope/x"):
        write_result("words", Path("/proc/nope/x"))


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("--output", "", "it is empty"), ("--output", "{folder}", "is a folder"),
        ("--output", "{file}/x", "is no folder"), ("--workspace", "", "it is empty"), ("--config", "", "it is empty"),
    ],
)  # fmt: skip
def test_a_place_that_cannot_be_is_refused_before_anything_is_done(
    tmp_path, capsys, option, value, words
):
    (tmp_path / "file").touch()
    parser = argparse.ArgumentParser()
    add_context_arguments(parser)
    add_output_arguments(parser)
    with pytest.raises(SystemExit) as caught:
        parser.parse_args([option, value.format(folder=tmp_path, file=tmp_path / "file")])
    assert caught.value.code == 2
    assert words in capsys.readouterr().err


def test_an_empty_variable_names_no_configuration(monkeypatch):
    monkeypatch.setenv("IMMUTABLE_BASE_CONFIG", "")
    parser = argparse.ArgumentParser()
    add_context_arguments(parser)
    assert parser.parse_args([]).config == Path("immutable-base.toml")


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
