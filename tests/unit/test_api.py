"""The product as a library."""

import importlib.util
import os
import subprocess
import sys

import pytest
import tomlkit

from immutable_base import api
from immutable_base.errors import ConfigurationError
from immutable_base.model.document import Frozen
from support.paths import ROOT
from support.plan_world import digest_rpms, signer, world
from support.rpmmd import Rpm

__all__ = ["signer", "world"]


@pytest.fixture
def config(world, monkeypatch):
    """The configuration of a small world that has everything, layers included."""
    world.write()
    (world.folder / "layers").mkdir()
    file = world.folder / "immutable-base.toml"
    file.write_text(tomlkit.dumps(world.document))
    monkeypatch.setattr("immutable_base.process.run", world.run)
    monkeypatch.setenv("XDG_STATE_HOME", str(world.folder / "state"))
    return str(file)


@pytest.mark.parametrize("variants", ["bsae", ("base", "bsae")])
def test_a_variant_that_is_not_there_is_refused_before_anything_is_fetched(config, world, variants):
    with pytest.raises(ConfigurationError, match="no variant 'bsae'; did you mean 'base'"):
        api.plan(config, variants)
    assert world.requests == []


def test_a_configuration_without_layers_is_refused(config, world):
    (world.folder / "layers").rmdir()
    with pytest.raises(ConfigurationError, match="there is no folder"):
        api.plan(config)


@pytest.mark.parametrize("signer_of", [{}, {"identity": "i"}, {"issuer": "https://i.invalid"}])
def test_without_a_configuration_and_a_whole_signer_nothing_is_verified(monkeypatch, signer_of):
    monkeypatch.setattr("immutable_base.process.run", None)
    with pytest.raises(ConfigurationError, match="nobody says who must have signed"):
        api.verify("registry.invalid/x:latest", **signer_of)


def test_a_plan_is_that_of_the_command_and_its_workspace_the_one_asked_for(config, world, capfd):
    plan = api.plan(config, workspace=world.folder / "ws")
    assert plan == world.plan(write=False)
    assert not (world.folder / "state").exists()
    assert [item.name for item in api.plan(config, ["base-zfs"]).variants] == ["base-zfs"]
    assert capfd.readouterr() == ("", ""), "nothing is printed"


def test_one_name_alone_is_that_variant(config):
    assert [item.name for item in api.plan(config, "base").variants] == ["base"]


def example():
    spec = importlib.util.spec_from_file_location("example", ROOT / "examples/what_changes.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_example_does_what_it_says(config, world, capsys):
    old = world.folder / "old.json"
    old.write_text(example().main(config).to_json())
    assert capsys.readouterr().out.splitlines() == [
        "base: build, kernel 6.12.105-1.x86_64",
        "base-zfs: build, kernel 6.12.117-1.x86_64",
        "base-zfs-nvidia: build, kernel 6.12.94-1.x86_64",
        "fedora-base: build, kernel 6.12.105-1.x86_64",
    ]
    world.repositories["fedora"] = [
        Rpm("jq", "1.8-1") if rpm.name == "jq" else rpm for rpm in world.repositories["fedora"]
    ]
    world.answers = {"/openzfs/repodata/repomd.xml": 503}
    digest_rpms(world)
    world.write()
    example().main(config, str(old))
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == [
        "base-zfs: fail, kernel none",
        "  repository 'openzfs': repomd.xml cannot be fetched",
    ]
    assert lines[-1] == "fedora-base: jq 1.7-1 to 1.8-1"


def test_the_example_believes_nothing_that_cannot_be_verified(config, capsys, monkeypatch):
    assert example().is_ours("no-such-variant", config) is False
    assert "'no-such-variant' is neither a variant nor a reference" in capsys.readouterr().out


def test_every_document_that_has_a_schema_is_a_class_of_the_library():
    documents = {
        item for name in api.__all__ if isinstance(item := getattr(api, name), type) and issubclass(item, Frozen)
    }  # fmt: skip
    titles = {name for name in api.__all__ if getattr(api, name) in documents} - {"VariantPlan"}
    import json

    configurations = {"config.schema.json", "instance-config.schema.json"}
    schemas = [path for path in (ROOT / "schema").glob("*.json") if path.name not in configurations]
    assert titles == {json.loads(path.read_text())["title"] for path in schemas}


def test_the_package_itself_is_imported_in_no_time_and_says_that_it_has_types():
    """Whoever wants the library pays for it, nobody else does."""
    code = (
        "import sys; before = set(sys.modules); import immutable_base as p; "
        "print(sorted(set(sys.modules) - before), p.__file__)"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True,
        env={**os.environ, "PYTHONPATH": str(ROOT / "src")},
    )  # fmt: skip
    assert done.stdout.startswith("['immutable_base']")
    assert (ROOT / "src/immutable_base/py.typed").is_file()
