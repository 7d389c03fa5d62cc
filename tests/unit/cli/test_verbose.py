"""`--verbose` shows the programs that a command starts, for every command that takes it."""

import logging
import re

import pytest

from immutable_base.cli.main import main

SIGNER = ("--certificate-identity", "https://gitlab.example/ci", "--certificate-oidc-issuer", "https://gitlab.example")  # fmt: skip


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


@pytest.mark.parametrize(
    ("arguments", "program"),
    [
        (("verify", "registry.example/x:y", "--config", "no.toml", *SIGNER), "skopeo"),
        (("doctor",), "cosign"),
    ],
)
def test_programs_are_shown_only_when_asked_for(programs, tmp_path, capsys, arguments, program):
    full = [*arguments, "--workspace", str(tmp_path / "workspace")]
    assert main(full) != 0
    assert "start:" not in capsys.readouterr().err
    assert main([*full, "--verbose"]) != 0
    shown = capsys.readouterr().err
    assert re.search(rf"start: \S*{program} ", shown)
    assert re.search(rf"^[0-9:]+ \S*{program}: {program} speaks$", shown, re.MULTILINE)


def test_each_line_is_shown_once_however_often_a_command_runs(programs, tmp_path, capsys):
    arguments = ["verify", "registry.example/x:y", "--config", "no.toml", *SIGNER, "-v"]
    assert main(arguments) == main(arguments) != 0
    capsys.readouterr()
    main(arguments)
    lines = [line for line in capsys.readouterr().err.splitlines() if "start: skopeo" in line]
    assert len(lines) == len(set(lines)) == 1
