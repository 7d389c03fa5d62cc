"""The command line: errors in words, exit codes by class, no traceback."""

import errno

import pytest

from immutable_base.cli.main import main


@pytest.fixture(autouse=True)
def contained(monkeypatch):
    """Commands run here, and not in namespaces of their own."""
    monkeypatch.setenv("IMMUTABLE_BASE_CONTAINED", "1")


def test_a_command_of_a_distribution_that_is_not_installed_says_how_to_get_it(capsys, monkeypatch):
    monkeypatch.setattr("importlib.metadata.entry_points", lambda **_: ())
    assert main(["lab", "up"]) == 2
    words = capsys.readouterr().err
    assert "there is no command 'lab'" in words
    assert "hint: the lab is a distribution of its own" in words
    assert "`make setup`" in words


def test_unknown_command_says_did_you_mean(capsys):
    assert main(["plna"]) == 2
    assert "there is no command 'plna'; did you mean 'plan'?" in capsys.readouterr().err


def test_unknown_variant_says_did_you_mean(capsys):
    assert main(["run", "--variant", "base-zsf"]) == 2
    captured = capsys.readouterr()
    assert "there is no variant 'base-zsf'; did you mean 'base-zfs'?" in captured.err
    assert captured.out == ""


@pytest.mark.parametrize(
    "arguments",
    [
        ["run", "--workers", "many"],
        ["run", "--workers", "0"],
        ["plan", "--fromat", "json"],
        ["lab", "sideways"],
    ],
)
def test_wrong_arguments(arguments, capsys):
    assert main(arguments) == 2
    assert "Traceback" not in capsys.readouterr().err


def test_missing_configuration(capsys, tmp_path):
    assert main(["plan", "--config", str(tmp_path / "no.toml")]) == 2
    assert "cannot read the configuration" in capsys.readouterr().err


def test_a_full_disk_is_no_bug(monkeypatch, capsys, tmp_path):
    def full(*_arguments):
        raise OSError(errno.ENOSPC, "No space left on device", str(tmp_path / "plan.json"))

    monkeypatch.setattr("immutable_base.cli.main._dispatch", full)
    assert main(["plan"]) == 4
    words = capsys.readouterr().err
    assert "plan.json: No space left on device" in words
    assert "Traceback" not in words


@pytest.mark.parametrize("command", ["plan", "run"])
def test_the_arguments_given_are_those_that_run_contained(command, monkeypatch):
    """Not those of the process: whoever calls `main` may have others."""
    started = []
    monkeypatch.setattr("sys.argv", ["pytest", "--of", "somebody", "else"])
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr("immutable_base.process.is_contained", lambda: False)
    monkeypatch.setattr(
        "immutable_base.process.run_contained", lambda argv: started.append(argv) or 7
    )
    assert main([command, "--variant", "base", "-v"]) == 7
    assert [argv[3:] for argv in started] == [[command, "--variant", "base", "-v"]]


def test_help_imports_no_feature():
    """Start-up stays quick because only the chosen command is imported."""
    import subprocess
    import sys

    code = (
        "import sys; from immutable_base.cli.main import all_commands, build_parser; build_parser(all_commands(), []).format_help(); "
        "print(sorted({'solv', 'pydantic', 'httpx', 'rich', 'cyclonedx'} & set(sys.modules)))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "[]"


def test_the_version_is_that_of_the_distribution(capsys, request):
    import tomllib

    project = tomllib.loads((request.config.rootpath / "pyproject.toml").read_text())["project"]
    assert main(["--version"]) == 0
    assert capsys.readouterr().out == f"immutable-base {project['version']}\n"


def test_files_that_were_not_installed_have_no_version(monkeypatch, capsys):
    from importlib import metadata

    def absent(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(metadata, "version", absent)
    assert main(["--version"]) == 4
    assert "pip install -e ." in capsys.readouterr().err


def test_a_command_of_our_own_does_not_wait_for_metadata():
    """Its import takes half the time of `--help`."""
    import subprocess
    import sys

    code = (
        "import sys; from immutable_base.cli.main import own_commands, build_parser; "
        "build_parser(own_commands(), ['init']); print('importlib.metadata' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
