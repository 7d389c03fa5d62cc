"""What `immutable-base init` writes, and what it never touches."""

import pytest

from immutable_base import init
from immutable_base.cli.main import main
from immutable_base.config.load import load_settings
from support.paths import ROOT


def content(folder):
    """Return every file below a folder, with what it holds and whether it is executable."""
    return {
        str(path.relative_to(folder)): (path.read_bytes(), bool(path.stat().st_mode & 0o100))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


@pytest.mark.parametrize("name", ["immutable-base.toml", "layers", "schema"])
def test_a_folder_that_has_one_of_them_is_refused_by_name_and_keeps_what_it_has(
    tmp_path, capsys, name
):
    (tmp_path / name).mkdir()
    (tmp_path / name / "mine").write_text("mine")
    assert main(["init", str(tmp_path)]) == 2
    said = capsys.readouterr()
    assert f"already has {name}; nothing was written" in said.err
    assert said.out == ""
    assert content(tmp_path) == {f"{name}/mine": (b"mine", False)}
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_link_that_leads_nowhere_is_somebodys_too(tmp_path, capsys):
    (tmp_path / "immutable-base.toml").symlink_to(tmp_path / "nowhere")
    assert main(["init", str(tmp_path)]) == 2
    assert "already has immutable-base.toml" in capsys.readouterr().err
    assert not (tmp_path / "nowhere").exists()


@pytest.mark.parametrize("below", ["", "below"])
def test_a_file_in_place_of_the_folder_is_refused(tmp_path, capsys, below):
    (tmp_path / "file").write_text("mine")
    assert main(["init", str(tmp_path / "file" / below)]) == 2
    assert "is no folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "mine"


def test_a_disk_that_fills_up_leaves_the_folder_as_it_was(tmp_path, monkeypatch, capsys):
    (tmp_path / "mine").write_text("mine")

    def full(_source, target):
        raise OSError(28, "No space left on device", str(target))

    monkeypatch.setattr("shutil.copyfile", full)
    assert main(["init", str(tmp_path)]) == 4
    assert "No space left on device" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine"]


def test_an_installation_without_its_files_says_what_to_do(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(init, "DEFAULTS", tmp_path / "no")
    assert main(["init", str(tmp_path / "new")]) == 4
    assert "pip install --force-reinstall immutable-base" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_what_is_written_is_the_one_copy_of_the_checkout_and_can_be_used(tmp_path, capsys):
    target = tmp_path / "a b" / "new"
    assert main(["init", str(target)]) == 0
    written = content(target)
    shipped = {f"layers/{name}": value for name, value in content(ROOT / "layers").items()}
    assert {name: value for name, value in written.items() if name.startswith("layers/")} == shipped
    assert written["layers/builder/build-module"][1], "it is executed"
    assert written["immutable-base.toml"][0] == (ROOT / "immutable-base.toml").read_bytes()
    assert not any(path.is_symlink() for path in target.rglob("*")), "to be edited, here"
    assert load_settings(target / "immutable-base.toml").variants
    first = written["immutable-base.toml"][0].decode().splitlines()[0]
    assert (target / first.removeprefix("#:schema ")).is_file(), "an editor finds the schema"
    said = capsys.readouterr().out
    assert f"cd '{target}'" in said
    assert "immutable-base plan" in said
    assert "immutable-base doctor --online" in said, (
        "the first thing for a real user, as README says"
    )


def test_what_else_is_in_the_folder_stays(tmp_path):
    (tmp_path / "README.md").write_text("mine")
    assert main(["init", str(tmp_path)]) == 0
    assert (tmp_path / "README.md").read_text() == "mine"
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        ".gitlab-ci.yml",
        "README.md",
        "ci",
        "immutable-base.toml",
        "layers",
        "schema",
    ]
