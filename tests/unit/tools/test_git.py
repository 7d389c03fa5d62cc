"""git: what a commit holds, and what changed since another; with the real program."""

import os
import subprocess

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.process import run
from immutable_base.tools import git


@pytest.fixture
def repository(tmp_path):
    folder = tmp_path / "repository"
    (folder / "sub").mkdir(parents=True)
    call(folder, "init", "--quiet")
    (folder / "a").write_text("1")
    (folder / "sub/b").write_text("1")
    commit(folder)
    return folder


def call(folder, *arguments):
    names = ("-c", "user.name=x", "-c", "user.email=x@example.invalid")
    env = {**os.environ, "GIT_COMMITTER_DATE": "1790000000 +0200"}
    done = subprocess.run(
        ["git", *names, *arguments], cwd=folder, check=True, capture_output=True, text=True, env=env
    )
    return done.stdout.strip()


def commit(folder):
    call(folder, "add", "--all")
    call(folder, "commit", "--quiet", "--message", "x")
    return call(folder, "rev-parse", "HEAD")


def test_the_head_is_its_name_and_the_committer_s_time(repository):
    found = git.head(run, repository)
    assert (found.name, found.time) == (call(repository, "rev-parse", "HEAD"), 1790000000)


def test_a_repository_without_a_commit_is_told_apart(tmp_path):
    call(tmp_path, "init", "--quiet")
    with pytest.raises(ConfigurationError, match="not the checkout of a commit"):
        git.head(run, tmp_path)


def test_a_file_is_the_commit_s(repository):
    (repository / "a").write_text("2")
    (repository / "new").write_text("2")
    assert git.file_at(run, repository, "a") == "1"
    assert git.file_at(run, repository, "new") is None
    assert git.file_at(run, repository / "sub", "b") == "1"
    assert git.uncommitted(run, repository) == ("a",)


def test_the_files_that_changed_and_a_commit_that_is_not_here(repository):
    first = call(repository, "rev-parse", "HEAD")
    assert git.changed_since(run, repository, first) == ()
    (repository / "a").unlink()
    (repository / "sub/ü\n").write_text("x")
    commit(repository)
    assert git.changed_since(run, repository, first) == ("a", "sub/ü\n")
    assert git.changed_since(run, repository / "sub", first) == ("sub/ü\n",), "of that folder alone"
    for name in ("0" * 40, "", "HEAD", "--output=x", first[:10], "é" * 40):
        assert git.changed_since(run, repository, name) is None


@pytest.mark.parametrize(("folder", "names"), [("", {"a", "sub/b"}), ("sub", {"b"})])
def test_the_tree_is_the_commit_s_and_nothing_else(repository, tmp_path, folder, names):
    (repository / "a").write_text("2")
    (repository / "sub/untracked").write_text("2")
    call(repository, "add", "sub/untracked")
    target = tmp_path / "tree"
    git.write_tree(run, repository / folder, target)
    files = {str(p.relative_to(target)): p.read_text() for p in target.rglob("*") if p.is_file()}
    assert files == dict.fromkeys(names, "1")
    assert [p.name for p in tmp_path.iterdir()] != [], "beside it no index is left"
    assert {p.name for p in tmp_path.iterdir()} == {"repository", "tree"}
    assert call(repository, "diff", "--cached", "--name-only") == "sub/untracked"
