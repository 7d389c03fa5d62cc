"""What is in the wheels: all that each distribution needs, and nothing of the other."""

import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import PurePosixPath

import pytest

from support.paths import ROOT

MOST_MODULES = 12
"""In one room of the lab."""


def tracked(folder: str) -> set[str]:
    """Return the tracked files below a folder, relative to it."""
    command = ["git", "ls-files", "-z", "--", folder]
    listing = subprocess.run(command, cwd=ROOT, capture_output=True, check=True, text=True)
    names = (PurePosixPath(name) for name in listing.stdout.split("\0") if name)
    return {str(name.relative_to(folder)) for name in names if (ROOT / name).exists()}


@pytest.fixture(scope="module")
def wheels(tmp_path_factory) -> dict[str, dict[str, bytes]]:
    """Build both wheels from the tracked files alone; return their files, by distribution."""
    copy, folder = tmp_path_factory.mktemp("copy"), tmp_path_factory.mktemp("wheels")
    for name in tracked("."):
        target = copy / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes((ROOT / name).read_bytes())
    subprocess.run(
        [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check",
         "--no-deps", "--no-build-isolation", "--no-index", "--wheel-dir", folder, copy,
         copy / "lab"],
        check=True,
    )  # fmt: skip
    found = {}
    for wheel in folder.glob("*.whl"):
        with zipfile.ZipFile(wheel) as archive:
            found[wheel.name.partition("-")[0]] = {
                name: archive.read(name) for name in archive.namelist()
            }
    return found


@pytest.mark.parametrize(
    ("distribution", "folder"), [("immutable_base", "src"), ("immutable_base_lab", "lab/src")]
)
def test_a_wheel_has_every_tracked_file_of_its_package(wheels, distribution, folder):
    wanted = tracked(folder)
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
