"""A Python module that is not there: what to install, and never "a bug"."""

import os
import subprocess
import sys

import pytest

from immutable_base.cli import main as command_line
from immutable_base.cli.main import main
from immutable_base.cli.missing_module import missing_module


def run_without(monkeypatch, name):
    """Run a command whose import fails for want of a module."""

    def fail(_arguments):
        raise ModuleNotFoundError(f"No module named {name!r}", name=name)

    monkeypatch.setattr(command_line, "_dispatch", fail)
    return main(["plan"])


@pytest.mark.parametrize(
    ("module", "wanted"),
    [
        ("httpx", "'httpx>="),
        ("solv", "'solv>="),
        ("cyclonedx.model.bom", "'cyclonedx-python-lib>="),
        ("jwt", "'pyjwt>="),  # of the lab
        ("debian.deb822", "'python-debian>="),
        ("ruamel.yaml", "'ruamel.yaml>="),
        ("jinja2", "'jinja2>="),
    ],
)
def test_a_dependency_is_told_with_the_command_that_installs_it(
    monkeypatch, capsys, module, wanted
):
    assert run_without(monkeypatch, module) == 4
    words = capsys.readouterr().err
    assert f"the Python module '{module}' is not installed" in words
    assert f"hint: `{sys.executable} -m pip install {wanted}" in words
    assert "bug" not in words
    assert "Traceback" not in words


def test_a_name_that_we_do_not_require_is_never_proposed_as_a_package(monkeypatch, capsys):
    """Anybody may have registered it."""
    assert run_without(monkeypatch, "pygments") == 4
    words = capsys.readouterr().err
    assert "'pygments' is not installed" in words
    assert "pip install --upgrade immutable-base" in words
    assert "install pygments" not in words


def test_a_module_of_python_itself_is_no_package(monkeypatch, capsys):
    assert run_without(monkeypatch, "_lzma") == 4
    assert "this Python was built without it" in capsys.readouterr().err


def test_a_module_of_ours_that_is_missing_is_a_bug(monkeypatch, capsys):
    assert run_without(monkeypatch, "immutable_base.plan.nothing") == 1
    assert "this is a bug" in capsys.readouterr().err


def test_any_other_error_is_none_of_this():
    assert missing_module(ImportError("cannot import name 'x'", name="httpx")) is None
    assert missing_module(ValueError("x")) is None


@pytest.mark.parametrize("module", ["httpx", "pydantic"])
def test_a_command_whose_import_fails(module):
    code = (
        f"import sys; sys.modules[{module!r}] = None; from immutable_base.cli.main import main; "
        "sys.exit(main(['plan']))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True,
        env={**os.environ, "IMMUTABLE_BASE_CONTAINED": "1"},
    )  # fmt: skip
    assert done.returncode == 4
    assert f"error: the Python module '{module}' is not installed" in done.stderr
    assert f"pip install '{module}>=" in done.stderr
