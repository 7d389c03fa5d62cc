"""What is in the wheels: all that each distribution needs, and nothing of the other."""

import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path, PurePosixPath

import pytest

from support.checkout import copy_tracked, tracked
from support.paths import ROOT

MOST_MODULES = 12
"""In one room of the lab."""


@pytest.fixture(scope="module")
def wheel_files(tmp_path_factory) -> list[Path]:
    """Build both wheels from the tracked files alone."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheels")
    copy_tracked(copy)
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, copy,
         copy / "lab"],
        check=True,
    )  # fmt: skip
    return sorted(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def wheels(wheel_files) -> dict[str, dict[str, bytes]]:
    """Return the files of both wheels, by distribution."""
    found = {}
    for wheel in wheel_files:
        with zipfile.ZipFile(wheel) as archive:
            found[wheel.name.partition("-")[0]] = {
                name: archive.read(name) for name in archive.namelist()
            }
    return found


@pytest.mark.parametrize(
    ("distribution", "folder"), [("immutable_base", "src"), ("immutable_base_lab", "lab/src")]
)
def test_a_wheel_has_every_tracked_file_of_its_package(wheels, distribution, folder):
    wanted = {name for name in tracked(folder) if not Path(ROOT, folder, name).is_symlink()}
    assert any(not name.endswith(".py") for name in wanted)
    assert wanted - set(wheels[distribution]) == set()


def test_no_wheel_has_files_of_another_distribution(wheels):
    for distribution, names in wheels.items():
        tops = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
        assert tops == {distribution}


def test_the_products_wheel_holds_no_module_graph_of_another_language(wheels):
    graphs = ("go.mod", "go.sum", "Cargo.toml", "Cargo.lock")
    assert [name for name in wheels["immutable_base"] if name.endswith(graphs)] == []
    assert [name for name in wheels["immutable_base_lab"] if name.endswith(graphs)]


def test_each_wheel_brings_its_commands(wheels):
    points = {
        distribution: next(
            text.decode() for name, text in files.items() if name.endswith("/entry_points.txt")
        )
        for distribution, files in wheels.items()
    }
    assert "immutable-base = immutable_base.__main__:entry_point" in points["immutable_base"]
    assert "lab = immutable_base_lab" in points["immutable_base_lab"]
    assert "lab" not in points["immutable_base"]


def test_no_room_of_the_lab_is_crowded():
    modules = Counter(
        str(PurePosixPath(name).parent)
        for name in tracked("lab/src")
        if name.endswith(".py") and not name.endswith("__init__.py")
    )
    assert modules["immutable_base_lab/services"] > 5, "the services are looked for elsewhere"
    assert {room: number for room, number in modules.items() if number > MOST_MODULES} == {}


# ------------------------------------------------------------------ what `immutable-base init` writes

DEFAULTS = "immutable_base/defaults/"


def test_the_products_wheel_has_layers_and_configuration_as_they_are_at_the_top(wheels):
    found = {
        name.removeprefix(DEFAULTS): text
        for name, text in wheels["immutable_base"].items()
        if name.startswith(DEFAULTS)
    }
    schema = "schema/config.schema.json"
    wanted = {"immutable-base.toml", ".gitlab-ci.yml", schema}
    wanted |= {f"{folder}/{name}" for folder in ("layers", "ci") for name in tracked(folder)}
    assert len(wanted) > 15
    assert found == {name: (ROOT / name).read_bytes() for name in wanted}


def test_what_is_at_the_top_is_there_once():
    """A second copy would be forgotten."""
    links = [ROOT / "src" / name for name in tracked("src") if DEFAULTS in name]
    assert len(links) == 5
    assert [str(path) for path in links if not path.is_symlink()] == []
    assert {path.resolve().relative_to(ROOT) for path in links} == {
        Path("layers"), Path("immutable-base.toml"), Path("schema/config.schema.json"),
        Path(".gitlab-ci.yml"), Path("ci"),
    }  # fmt: skip


@pytest.fixture(scope="module")
def installed(wheel_files, tmp_path_factory):
    """The product's wheel as pip installs it, before everything else on the path."""
    folder = tmp_path_factory.mktemp("installed")
    [wheel] = [path for path in wheel_files if path.name.startswith("immutable_base-")]
    subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--no-index", "--target", folder, wheel],
        check=True,
    )  # fmt: skip
    return folder


def test_the_installed_wheel_writes_what_a_run_needs(installed, tmp_path):
    def product(*words):
        return subprocess.run(
            [sys.executable, "-m", "immutable_base", *words], cwd=tmp_path, text=True,
            env={**os.environ, "PYTHONPATH": str(installed)}, check=True, capture_output=True,
        ).stdout  # fmt: skip

    assert product("--version").startswith("immutable-base ")
    assert "wrote .gitlab-ci.yml, ci, immutable-base.toml, layers, schema to mine" in product(
        "init", "mine"
    )
    assert not any(path.is_symlink() for path in installed.rglob("*"))
    mine = tmp_path / "mine"
    names = {str(path.relative_to(mine / "layers")) for path in (mine / "layers").rglob("*")}
    assert tracked("layers") <= names
    executed = [name for name in tracked("layers") if os.access(mine / "layers" / name, os.X_OK)]
    assert "builder/build-module" in executed
    assert set(executed) == {
        name for name in tracked("layers") if os.access(ROOT / "layers" / name, os.X_OK)
    }
    assert "--diff OLD.json" in product("plan", "--help")
