"""The product as a user installs it: an empty environment, the runtime lock, the wheel."""

import json
import os
import subprocess
import sys

import pytest

from support.checkout import copy_tracked
from support.paths import ROOT

pytestmark = pytest.mark.apart


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """Return a function that runs a program of a new environment, in a folder of its own."""
    folder = tmp_path_factory.mktemp("install")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    # Nothing of the environment that runs the tests may fill a gap.
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}

    def run(program, *words, environment=None):
        return subprocess.run(
            [folder / "venv" / "bin" / program, *words], cwd=folder, env={**kept, **(environment or {})},
            text=True, capture_output=True,
        )  # fmt: skip

    copy_tracked(folder / "copy")
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*wheel, "--wheel-dir", folder, folder / "copy"], check=True)
    [file] = folder.glob("*.whl")
    for words in (
        ("--require-hashes", "-r", ROOT / "requirements/runtime.txt"),
        ("--no-deps", file),
    ):
        done = run("pip", "install", "--quiet", "--disable-pip-version-check", *words)
        assert done.returncode == 0, done.stderr
    return run


def test_the_runtime_lock_has_all_that_the_wheel_requires(installed):
    done = installed("pip", "check")
    assert (done.returncode, done.stdout.strip()) == (0, "No broken requirements found.")


def test_it_says_its_version(installed):
    assert installed("immutable-base", "--version").stdout.startswith("immutable-base ")


def test_every_module_can_be_imported(installed):
    code = (
        "import importlib, pkgutil, immutable_base as p; "
        "[importlib.import_module(m.name) for m in pkgutil.walk_packages(p.__path__, 'immutable_base.')"
        " if not m.name.endswith('__main__')]; importlib.import_module('solv'); print('all')"
    )
    done = installed("python", "-c", code)
    assert (done.stdout, done.stderr) == ("all\n", "")


def test_it_writes_a_configuration_that_a_command_reads(installed):
    assert (
        "wrote .gitlab-ci.yml, ci, immutable-base.toml, layers, schema to mine"
        in installed("immutable-base", "init", "mine").stdout
    )
    assert installed("immutable-base", "plan", "--help").returncode == 0
    unknown = installed(
        "immutable-base", "plan", "--config", "mine/immutable-base.toml", "--variant", "bsae"
    )
    assert unknown.returncode == 2
    assert "did you mean 'base'?" in unknown.stderr, "layers and configuration were accepted"


def test_it_plans_what_servers_offer(installed, tiny_lab, tmp_path):
    environment = {**tiny_lab.env, "IMMUTABLE_BASE_WORKSPACE": str(tmp_path)}
    done = installed("immutable-base", "plan", "--format", "json", environment=environment)
    assert done.returncode == 0, done.stderr
    found = {it["name"]: it["verdict"] for it in json.loads(done.stdout)["variants"]}
    assert found == {"tiny": "build", "tiny-metronome": "build"}
