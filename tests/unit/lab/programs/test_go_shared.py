"""A module that two programs use has one version, so that its packages are compiled once."""

import importlib.util
from types import SimpleNamespace

import pytest

from immutable_base_lab.programs import go_shared
from immutable_base_lab.programs.go_build import MODULES
from immutable_base_lab.programs.go_pins import GO_PROGRAMS
from immutable_base_lab.programs.go_shared import (
    OWN_VERSIONS,
    precedence,
    read_requirements,
    shared_versions,
    to_raise,
)
from support.paths import ROOT


@pytest.fixture(scope="module")
def required():
    """By program, what its go.mod requires."""
    return {
        program.name: read_requirements((MODULES / program.name / "go.mod").read_text())
        for program in GO_PROGRAMS
    }


def test_every_shared_module_has_one_version(required):
    """`scripts/share_go_versions.py` makes it so."""
    assert len(shared_versions(required)) > 200
    assert to_raise(required) == {}


def test_every_exception_is_needed_and_has_a_reason(required):
    for program, modules in OWN_VERSIONS.items():
        for module, reason in modules.items():
            others = {
                it[module] for name, it in required.items() if name != program and module in it
            }
            assert others - {required[program][module]}, f"{module} of {program} is no exception"
            assert len(reason) > 20


def test_the_highest_version_is_shared_and_exceptions_keep_theirs(monkeypatch):
    required = {
        "one": {"example.com/a": "v1.9.0", "example.com/b": "v1.0.0", "example.com/c": "v1.0.0"},
        "two": {"example.com/a": "v1.10.0", "example.com/b": "v1.1.0"},
        "three": {"example.com/a": "v1.2.0", "example.com/b": "v1.2.0"},
    }
    monkeypatch.setattr(go_shared, "OWN_VERSIONS", {"one": {"example.com/b": "a reason"}})
    assert to_raise(required) == {
        "one": {"example.com/a": "v1.10.0"},
        "two": {"example.com/b": "v1.2.0"},
        "three": {"example.com/a": "v1.10.0"},
    }


def test_a_version_that_only_an_exception_has_is_not_shared(monkeypatch):
    required = {"one": {"example.com/a": "v2.0.0"}, "two": {"example.com/a": "v1.0.0"}}
    assert to_raise(required) == {"two": {"example.com/a": "v2.0.0"}}
    monkeypatch.setattr(go_shared, "OWN_VERSIONS", {"one": {"example.com/a": "a reason"}})
    assert to_raise(required) == {}


def test_versions_sort_as_go_sorts_them():
    rising = [
        "v0.0.0-20240903120638-7835f813f4da",
        "v0.0.0-20250922171735-9219d122eba9",
        "v0.9.0",
        "v0.14.0-rc.1",
        "v0.14.0-rc.1.1",
        "v0.14.0-rc.2",
        "v0.14.0-rc.10",
        "v0.14.0",
        "v1.5.0",
        "v1.5.1-0.20231216201459-8508981c8b6c",
        "v1.5.1",
        "v9.0.0+incompatible",
        "v29.0.3+incompatible",
        "v29.3.0+incompatible",
    ]
    assert sorted(sorted(rising), key=precedence) == rising
    with pytest.raises(ValueError, match="latest"):
        precedence("latest")


def test_requirements_are_read_from_blocks_and_lines():
    text = (
        "module a.invalid/b\n\ngo 1.27\n\ntool example.com/c/cmd\n\nrequire example.com/c v1.0.0\n\n"
        "require (\n\texample.com/d v0.1.0 // indirect\n\texample.com/e/v2 v2.0.0\n)\n"
    )
    assert read_requirements(text) == {
        "example.com/c": "v1.0.0",
        "example.com/d": "v0.1.0",
        "example.com/e/v2": "v2.0.0",
    }


@pytest.fixture
def script(tmp_path, monkeypatch):
    """The script, for two programs in `tmp_path`, with a Go that does what it is told."""
    spec = importlib.util.spec_from_file_location("script", ROOT / "scripts/share_go_versions.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    programs = [SimpleNamespace(name=name) for name in ("one", "two")]
    monkeypatch.setattr(module, "GO_PROGRAMS", programs)
    monkeypatch.setattr(module, "MODULES", tmp_path)
    for program in programs:
        (tmp_path / program.name).mkdir()
    return module


def write_module(file, requirements):
    lines = "".join(f"\t{name} {version}\n" for name, version in requirements.items())
    file.write_text(f"module a.invalid/b\n\nrequire (\n{lines})\n")


def test_the_script_goes_round_until_nothing_changes(script, tmp_path, monkeypatch):
    """What is raised asks for more: a v1.1.0 for b v1.1.0, which then is the other program's too."""
    write_module(tmp_path / "one/go.mod", {"x.org/a": "v1.1.0", "x.org/b": "v1.0.0"})
    write_module(tmp_path / "two/go.mod", {"x.org/a": "v1.0.0", "x.org/b": "v1.0.0"})

    def go(program, *words):
        file = tmp_path / program / "go.mod"
        if words[:2] == ("mod", "edit"):
            found = [it.removeprefix("-require=").split("@") for it in words[2:]]
            write_module(file, {**read_requirements(file.read_text()), **dict(found)})
        elif program == "two":
            write_module(file, {**read_requirements(file.read_text()), "x.org/b": "v1.1.0"})

    monkeypatch.setattr(script, "go", go)
    assert script.main() == 0
    for name in ("one", "two"):
        text = (tmp_path / name / "go.mod").read_text()
        assert read_requirements(text) == {"x.org/a": "v1.1.0", "x.org/b": "v1.1.0"}


def test_the_script_gives_up_if_versions_stay_different(script, tmp_path, monkeypatch, capsys):
    write_module(tmp_path / "one/go.mod", {"x.org/a": "v1.1.0"})
    write_module(tmp_path / "two/go.mod", {"x.org/a": "v1.0.0"})
    monkeypatch.setattr(script, "go", lambda *_: None)
    assert script.main() == 1
    assert "x.org/a" in capsys.readouterr().err
