"""`--verbose` shows the programs that a command starts, for every command that takes it."""

import argparse
import logging
import re

import pytest

from immutable_base.cli.main import all_commands, build_parser, main
from immutable_base.log import log_to_terminal
from immutable_base.process import Command, run
from immutable_base.progress import Progress
from immutable_base.schedule import Node, run_nodes


@pytest.fixture
def programs(tmp_path, monkeypatch):
    """Two programs that fail and say so; PATH has no others."""
    for name in ("skopeo", "cosign"):
        path = tmp_path / "bin" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\necho '{name} speaks' >&2\nexit 3\n")
        path.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))


@pytest.fixture(autouse=True)
def quiet_again():
    yield
    root = logging.getLogger("immutable_base")
    for handler in list(root.handlers):
        root.removeHandler(handler)


def test_programs_are_shown_only_when_asked_for(programs, tmp_path, capsys):
    full = ["doctor", "--workspace", str(tmp_path / "workspace")]
    assert main(full) != 0
    assert "start:" not in capsys.readouterr().err
    assert main([*full, "--verbose"]) != 0
    shown = capsys.readouterr().err
    assert re.search(r"start: \S*cosign ", shown)
    assert re.search(r"^[0-9:]+ \S*cosign: cosign speaks$", shown, re.MULTILINE)


def test_each_line_is_shown_once_however_often_a_command_runs(programs, tmp_path, capsys):
    arguments = ["doctor", "-v"]
    assert main(arguments) == main(arguments) != 0
    capsys.readouterr()
    main(arguments)
    lines = [
        line
        for line in capsys.readouterr().err.splitlines()
        if "start:" in line and "cosign version" in line
    ]
    assert len(lines) == len(set(lines)) == 1


def test_what_a_program_says_cannot_move_the_cursor_or_change_colours(programs, tmp_path, capsys):
    (tmp_path / "bin" / "cosign").write_text(
        "#!/bin/sh\nprintf '\\033[2J\\033[32m verified' >&2\nexit 3\n"
    )
    main(["doctor", "--workspace", str(tmp_path / "workspace"), "--verbose"])
    captured = capsys.readouterr()
    assert "\\x1b[2J\\x1b[32m verified" in captured.err
    assert "\x1b" not in captured.err + captured.out


def leaves(words, parser):
    """Yield what a person types for each command and each action of one, and its parser."""
    nested = [it for it in parser._actions if isinstance(it, argparse._SubParsersAction)]
    for name, action in ((n, p) for it in nested for n, p in it.choices.items()):
        yield from leaves((*words, name), action)
    if not nested:
        yield " ".join(words), parser


def test_every_command_takes_it_but_those_that_start_no_program():
    commands = all_commands()
    parsers = dict(leaves((), build_parser(commands, commands)))
    assert len(parsers) > 40
    without = {name for name, it in parsers.items() if "-v" not in it._option_string_actions}
    assert without == {"init", "ci", "instance init", "policy render", "policy rotate"}


def test_a_command_that_has_no_such_option_shows_warnings_and_no_programs(tmp_path, capsys):
    assert main(["init", str(tmp_path / "new")]) == 0
    logging.getLogger("immutable_base.any").debug("a detail")
    logging.getLogger("immutable_base.any").warning("of interest")
    shown = capsys.readouterr().err
    assert "of interest" in shown
    assert "a detail" not in shown


def test_of_things_done_at_once_each_line_says_whose_it_is(capsys):
    log_to_terminal(verbose=True)

    def speak(_report):
        run(Command(argv=("sh", "-c", "echo speaks >&2"), timeout=9))

    with Progress() as progress:
        run_nodes(
            [Node(id=name, title=name, action=speak) for name in ("one", "two")],
            workers=2,
            observer=progress,
        )
    shown = capsys.readouterr().err
    for name in ("one", "two"):
        assert re.search(rf"^[0-9:]+ {name}: start: sh ", shown, re.MULTILINE)
        assert re.search(rf"^[0-9:]+ {name}: sh: speaks$", shown, re.MULTILINE)


def test_what_is_shown_goes_where_standard_error_is_now(capsys, monkeypatch, tmp_path):
    log_to_terminal(verbose=True)
    with (tmp_path / "display").open("w") as display, monkeypatch.context() as while_live:
        while_live.setattr("sys.stderr", display)
        run(Command(argv=("true",), timeout=9))
    assert "start: true" in (tmp_path / "display").read_text()
    assert capsys.readouterr().err == ""
