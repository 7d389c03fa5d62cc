"""`--verbose` shows the programs that a command starts, for every command that takes it."""

import logging
import re

import pytest

from immutable_base.cli.main import main


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
