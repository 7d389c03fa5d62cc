"""What the lab does for a pipeline that GitLab would do."""

import json
import subprocess

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.process import run
from immutable_base_lab.cli import _variable
from immutable_base_lab.pipelines.pipeline import Checkout, _exclude, read_checkout
from immutable_base_lab.pipelines.tokens import overlay

PREVIEW = """
stages: [publish]
variables: {A: b}
publish base:
  script: [echo]
  id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}, OTHER: {aud: elsewhere}}
build base:
  script: [echo]
"""


def test_a_job_gets_the_tokens_that_it_asks_for_and_no_other_job_has_them():
    found = json.loads(overlay(PREVIEW, lambda audience: f"for {audience}"))
    assert found == {
        "publish base": {
            "variables": {"SIGSTORE_ID_TOKEN": "for sigstore", "OTHER": "for elsewhere"}
        }
    }


def test_a_pipeline_in_which_nobody_signs_needs_no_issuer():
    def never(_audience):
        raise AssertionError

    assert json.loads(overlay("build: {script: [echo]}", never)) == {}


@pytest.fixture
def checkout(tmp_path):
    def git(*words):
        subprocess.run(["git", "-C", tmp_path, *words], check=True, capture_output=True)

    git("init", "--initial-branch=main")
    (tmp_path / ".gitlab-ci.yml").write_text("{}")
    git("-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--allow-empty", "-m", "a")
    git("remote", "add", "origin", "https://gitlab.com/acme/sub/file-server.git")
    return tmp_path, git


def test_project_and_branch_are_what_git_says(checkout):
    folder, git = checkout
    assert read_checkout(folder) == Checkout(project="acme/sub/file-server", branch="main")
    git("switch", "--create", "feature/a b;c".replace(" ", "-"))
    assert read_checkout(folder).branch == "feature/a-b;c"


@pytest.mark.parametrize(
    "url", ["https://elsewhere.example/acme/x.git", "/tmp/x", "gitlab.com:a/b"]
)
def test_a_remote_that_is_no_project_of_the_host_is_refused(checkout, url):
    folder, git = checkout
    git("remote", "set-url", "origin", url)
    with pytest.raises(ConfigurationError, match="no project on gitlab"):
        read_checkout(folder)


def test_a_folder_without_a_pipeline_is_refused(tmp_path):
    with pytest.raises(ConfigurationError, match=r"no \.gitlab-ci\.yml"):
        read_checkout(tmp_path)


def test_a_variable_has_a_name_and_a_value():
    assert _variable("A=b=c") == ("A", "b=c")
    for text in ("A", "=b", "a b=c", "-x=y"):
        with pytest.raises(Exception, match="is not NAME=VALUE"):
            _variable(text)


def test_what_holds_tokens_stays_out_of_git(checkout):
    folder, git = checkout
    for _ in range(2):
        _exclude(folder, run)
    (folder / ".gitlab-ci-local.yml").write_text("a token")
    (folder / ".gitlab-ci-local").mkdir()
    (folder / ".gitlab-ci-local/expanded").write_text("a token")
    git("add", "--all")
    listed = subprocess.run(
        ["git", "-C", folder, "ls-files"], check=True, capture_output=True, text=True
    ).stdout
    assert listed.split() == [".gitlab-ci.yml"]
