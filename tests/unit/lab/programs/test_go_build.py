"""Programs are built from what go.mod and go.sum pin, and only then count as built."""

import json
import re
from itertools import groupby
from pathlib import Path

import pytest

from immutable_base.errors import ImmutableBaseError
from immutable_base.process import Result
from immutable_base_lab.core import certificates
from immutable_base_lab.programs import go_build
from immutable_base_lab.programs.go_build import MODULES, GoBuilder, _instead, _patches
from immutable_base_lab.programs.go_omissions import OMISSIONS
from immutable_base_lab.programs.go_pins import GO_PROGRAMS

PROGRAMS = {program.name: program for program in GO_PROGRAMS}


@pytest.mark.parametrize("program", GO_PROGRAMS, ids=lambda it: it.name)
def test_every_program_is_pinned_with_checksums(program):
    text = (MODULES / program.name / "go.mod").read_text()
    pinned = re.search(rf"^\s*(?:require )?{re.escape(program.module)} (v\S+)", text, re.MULTILINE)
    assert pinned
    sums = (MODULES / program.name / "go.sum").read_text()
    assert f"{program.module} {pinned[1]} h1:" in sums
    assert all(f"\t{it}\n" in text or f"tool {it}\n" in text for it in program.imports)


def test_a_program_is_built_again_when_its_pins_change(tmp_path, monkeypatch):
    program = PROGRAMS["syft"]
    builder = GoBuilder(tools=tmp_path, runner=_fake_go(_source(program, tmp_path / "source")))
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
    cosign = PROGRAMS["cosign"]
    GoBuilder(
        tools=tmp_path, runner=_fake_go(_source(cosign, tmp_path / "source"), seen.append)
    ).fetch(cosign)
    for command in seen:
        assert command.env["GOPROXY"] == "http://proxy.invalid"
        assert "GOSUMDB" not in command.env
        assert command.env["GOTOOLCHAIN"] == "local"


def _fake_go(source, witness=lambda command: None):
    """A runner that answers as `go mod download -json` and `go build` do."""

    def run(command):
        witness(command)
        if "build" in command.argv:
            target = Path(command.argv[command.argv.index("-o") + 1])
            (target / "syft").write_text("program")
        text = json.dumps({"Dir": str(source), "Version": "v2.0.0"})
        return Result(status=0, stdout=text.encode(), stderr_tail="")

    return run


def _source(program, folder):
    """The files of a program's module that the lab changes, with what it looks for in them."""
    folder.mkdir()
    for file, patches in groupby(sorted(_patches(program), key=_file), key=_file):
        _write(folder / file, "\n".join(("kept", *(patch.old for patch in patches))))
    for path in _instead(program).rglob("*.go"):
        _write(folder / path.relative_to(_instead(program)), "the module's own")
    return folder


def _file(patch):
    return patch.file


def _write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o444)


def test_keys_are_private_and_kept(tmp_path):
    certificates.ensure_keys(tmp_path / "keys")
    before = {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    certificates.ensure_keys(tmp_path / "keys")
    assert before == {path.name: path.read_bytes() for path in (tmp_path / "keys").iterdir()}
    for path in (tmp_path / "keys").glob("*.key"):
        assert path.stat().st_mode & 0o077 == 0
    assert (tmp_path / "keys").stat().st_mode & 0o077 == 0


def test_what_is_left_out_is_no_reason_to_build_a_program_again(monkeypatch):
    """Only the pins are: a lab that exists keeps what it has built."""
    before = {program.name: go_build._key(program) for program in GO_PROGRAMS}
    monkeypatch.setattr(go_build, "OMISSIONS", {})
    assert {program.name: go_build._key(program) for program in GO_PROGRAMS} == before


def test_programs_whose_output_images_hold_are_built_whole():
    """Of syft only downloads are left out: the lab scans what lies on the disk."""
    assert not {"syft", "nvidia-container-toolkit"} & set(OMISSIONS)
    assert not _instead(PROGRAMS["nvidia-container-toolkit"]).exists()
    assert [path.name for path in _instead(PROGRAMS["syft"]).rglob("*.go")] == ["getter.go"]


@pytest.mark.parametrize("program", GO_PROGRAMS, ids=lambda it: it.name)
def test_what_is_left_out_of_a_program_is_gone_from_its_sources(program, tmp_path):
    source = _source(program, tmp_path / "source")
    builder = GoBuilder(tools=tmp_path, runner=_fake_go(source))
    patched = builder._patched(program, source).parent / "source"
    for patch in _patches(program):
        text = (patched / patch.file).read_text()
        assert text.startswith("kept")
        assert patch.new in text
        if patch.old not in patch.new:
            assert patch.old not in text
    for path in _instead(program).rglob("*.go"):
        assert (patched / path.relative_to(_instead(program))).read_text() == path.read_text()


def test_what_is_to_be_replaced_must_be_there(tmp_path):
    """A newer version may have moved it: two files for one thing would not compile, or both count."""
    source = _source(PROGRAMS["syft"], tmp_path / "source")
    (source / "internal/file/getter.go").unlink()
    with pytest.raises(ImmutableBaseError, match=r"has no getter\.go to replace"):
        GoBuilder(tools=tmp_path)._patched(PROGRAMS["syft"], source)


def test_only_what_is_compiled_is_downloaded(tmp_path):
    """Go is asked about the changed module: what is left out of it is half of all the files."""
    seen = []
    rekor = PROGRAMS["rekor"]
    run = _fake_go(_source(rekor, tmp_path / "source"), lambda command: seen.append(command.argv))
    GoBuilder(tools=tmp_path, runner=run).fetch(rekor)
    (asked,) = (argv for argv in seen if "-deps" in argv)
    (file,) = (it.removeprefix("-modfile=") for it in asked if it.startswith("-modfile="))
    assert f"replace {rekor.module} => " in Path(file).read_text()


def test_trillian_is_built_with_one_storage(tmp_path):
    seen = []
    trillian = PROGRAMS["trillian"]
    run = _fake_go(
        _source(trillian, tmp_path / "source"), lambda command: seen.append(command.argv)
    )
    GoBuilder(tools=tmp_path, runner=run).fetch(trillian)
    assert "-tags=mysql,etcd" in seen[-1]


def test_caches_are_removed_and_programs_stay(tmp_path):
    for name in (".cache/mod/cache/a", ".cache/mod/github.com/b", ".cache/build/c", "bin/cosign"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".cache/mod/github.com").chmod(0o555)
    GoBuilder(tools=tmp_path).clear_caches()
    GoBuilder(tools=tmp_path).clear_caches()
    assert {path.name for path in tmp_path.iterdir()} == {"bin"}
