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
    wants_colour,
    write_result,
)
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
