"""What commands share: where a result goes, and how it looks there."""

import sys
from pathlib import Path

import pytest

from immutable_base.cli.options import wants_colour


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
