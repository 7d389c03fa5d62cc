"""Programs are built from what go.mod and go.sum pin, and only then count as built."""

import re

import pytest

from immutable_base.process import Result
from immutable_base_lab.core import certificates
from immutable_base_lab.programs import go_build
from immutable_base_lab.programs.go_build import MODULES, GoBuilder
from immutable_base_lab.programs.go_pins import GO_PROGRAMS


@pytest.mark.parametrize("program", GO_PROGRAMS, ids=lambda it: it.name)
def test_every_program_is_pinned_with_checksums(program):
    text = (MODULES / program.name / "go.mod").read_text()
    pinned = re.search(rf"^\s*(?:require )?{re.escape(program.module)} (v\S+)", text, re.MULTILINE)
    assert pinned
    sums = (MODULES / program.name / "go.sum").read_text()
    assert f"{program.module} {pinned[1]} h1:" in sums
    assert all(f"\t{it}\n" in text or f"tool {it}\n" in text for it in program.imports)


def test_a_program_is_built_again_when_its_pins_change(tmp_path, monkeypatch):
    program = GO_PROGRAMS[1]
    builder = GoBuilder(tools=tmp_path, runner=_fake_go(tmp_path))
    assert not builder.is_built(program)
    builder.build(program, lambda line: None)
    assert builder.is_built(program)
    assert (
        tmp_path / "bin" / program.name
    ).resolve() == tmp_path / program.name / "bin" / program.name
    monkeypatch.setattr(go_build.importlib.metadata, "version", lambda _: "another toolchain")
    assert not builder.is_built(program)


def test_go_reaches_its_modules_as_the_machine_does(tmp_path, monkeypatch):
    monkeypatch.setenv("GOPROXY", "http://proxy.invalid")
    monkeypatch.delenv("GOSUMDB", raising=False)
    seen = []

    def run(command):
        seen.append(command.env)
        return Result(status=0, stdout=b"", stderr_tail="")

    GoBuilder(tools=tmp_path, runner=run).fetch(GO_PROGRAMS[1])
    assert seen[0]["GOPROXY"] == "http://proxy.invalid"
    assert "GOSUMDB" not in seen[0]
    assert seen[0]["GOTOOLCHAIN"] == "local"


def _fake_go(folder):
    """A runner that answers as `go list -m -json` and `go build` do."""

    def run(command):
        if "build" in command.argv:
            target = command.argv[command.argv.index("-o") + 1]
            (folder / target / "cosign").write_text("program")
        text = b'{"Dir": "/nowhere", "Version": "v2.0.0"}'
        return Result(status=0, stdout=text, stderr_tail="")

    return run


def test_keys_are_private_and_kept(tmp_path):
    certificates.ensure_keys(tmp_path / "keys")
    before = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    certificates.ensure_keys(tmp_path / "keys")
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    for path in (tmp_path / "keys").glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0
