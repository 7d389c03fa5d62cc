"""Programs are built from what go.mod and go.sum pin, and only then count as built."""

import re

import pytest

from immutable_base.process import Result
from immutable_base_lab.core import certificates
from immutable_base_lab.programs import go_build
from immutable_base_lab.programs.go_build import MODULES, GoBuilder
from immutable_base_lab.programs.go_pins import GO_PROGRAMS, OMISSIONS


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


def test_what_is_left_out_is_no_reason_to_build_a_program_again(monkeypatch):
    """Only the pins are: a lab that exists keeps what it has built."""
    before = {program.name: go_build._key(program) for program in GO_PROGRAMS}
    monkeypatch.setattr(go_build, "OMISSIONS", {})
    assert {program.name: go_build._key(program) for program in GO_PROGRAMS} == before


def test_programs_that_users_have_or_images_hold_are_built_whole():
    assert not {"cosign", "syft", "nvidia-container-toolkit"} & set(OMISSIONS)


def test_what_is_left_out_of_a_program_is_gone_from_its_sources(tmp_path):
    """The drivers of the registry, as an example; their imports are lines of their own."""
    source = tmp_path / "source/cmd/registry"
    source.mkdir(parents=True)
    drivers = "github.com/distribution/distribution/v3/registry/storage/driver"
    names = ("azure", "filesystem", "gcs", "middleware/cloudfront", "s3-aws")
    lines = "".join(f'\t_ "{drivers}/{name}"\n' for name in names)
    (source / "main.go").write_text(f"import (\n{lines})\n")
    registry = next(it for it in GO_PROGRAMS if it.name == "registry")
    GoBuilder(tools=tmp_path / "tools")._patched(registry, tmp_path / "source")
    (patched,) = (tmp_path / "tools").rglob("main.go")
    left = [line for line in patched.read_text().splitlines() if "driver" in line]
    assert left == [f'\t_ "{drivers}/filesystem"']


def test_trillian_is_built_with_one_storage(tmp_path):
    seen = []

    def run(command):
        seen.append(command.argv)
        return Result(status=0, stdout=b"", stderr_tail="")

    trillian = next(it for it in GO_PROGRAMS if it.name == "trillian")
    GoBuilder(tools=tmp_path, runner=run).fetch(trillian)
    assert "-tags=mysql,etcd" in seen[0]


def test_caches_are_removed_and_programs_stay(tmp_path):
    for name in (".cache/mod/cache/a", ".cache/mod/github.com/b", ".cache/build/c", "bin/cosign"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / ".cache/mod/github.com").chmod(0o555)
    GoBuilder(tools=tmp_path).clear_caches()
    GoBuilder(tools=tmp_path).clear_caches()
    assert {path.name for path in tmp_path.iterdir()} == {"bin"}
