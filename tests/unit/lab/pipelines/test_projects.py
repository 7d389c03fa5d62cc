"""What the lab does for a pipeline that GitLab would do."""

import io
import json
import os
import subprocess
import sys
import tarfile
from types import SimpleNamespace

import pytest

from immutable_base.cli.main import main
from immutable_base.errors import CommandError, ConfigurationError, VerificationError
from immutable_base.process import Result, run
from immutable_base_lab import cli
from immutable_base_lab.cli import _variable
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.pipelines.pipeline import (
    Checkout,
    Pipeline,
    _exclude,
    configuration_variable,
    read_checkout,
    run_jobs,
)
from immutable_base_lab.pipelines.projects import git_environment, publish_templates
from immutable_base_lab.pipelines.tokens import overlay
from immutable_base_lab.programs import gitlab_ci_local
from support.paths import ROOT

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


@pytest.mark.parametrize(
    ("words", "asked"),
    [([], ()), (["plan"], ("--needs", "plan")), (["--only", "plan", "a b"], ("plan", "a b"))],
)
def test_a_runner_does_what_its_jobs_need_unless_another_has_done_it(
    tmp_path, monkeypatch, words, asked
):
    started = []
    monkeypatch.setattr(cli, "publish_templates", lambda *_: None)
    monkeypatch.setattr(cli, "pipeline_environment", lambda *_: {})
    monkeypatch.setattr(cli, "configuration_variable", lambda *_: {})
    monkeypatch.setattr(cli, "prepare", lambda *_: ("program",))
    monkeypatch.setattr(cli, "run_jobs", lambda command, *_: started.append(command) or 0)
    state = ["--state", str(tmp_path / "state"), "--folder", str(tmp_path)]
    assert main(["lab", "pipeline", *state, *words]) == 0
    assert started == [("program", *asked)]


def test_a_project_downstream_names_the_labs_configuration_and_one_with_its_own_does_not(tmp_path):
    """The template's jobs would take that of their image; the night's jobs have none but their own."""
    named = {"IMMUTABLE_BASE_CONFIG": "/lab/immutable-base.toml"}
    lab = SimpleNamespace(environment=lambda _base, *, scenario: {**named, "OTHER": scenario})
    pipeline = Pipeline(folder=tmp_path, source="push")
    assert configuration_variable(lab, pipeline, "tiny") == named
    (tmp_path / "immutable-base.toml").touch()
    assert configuration_variable(lab, pipeline, "tiny") == {}


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


# ------------------------------------------------------------------ what the jobs end with


@pytest.mark.parametrize(
    ("printed", "status", "code"),
    [
        (" PASS  build", 0, 0), (" WARN  build", 0, 0), (" FAIL  build", 0, 1), ("", 3, 1),
        ("build > FAIL  is a word in a log", 0, 0),
    ],
)  # fmt: skip
def test_a_red_job_is_a_red_pipeline_whatever_the_program_ends_with(
    tmp_path, printed, status, code
):
    """gitlab-ci-local ends with 0 where another exit code would have been allowed to fail."""
    shown = []
    script = f"print({printed!r}); raise SystemExit({status})"
    assert run_jobs((sys.executable, "-c", script), tmp_path, {}, shown.append) == code
    assert shown == [printed]


# ------------------------------------------------------------------ what other projects include


def test_a_project_downstream_gets_our_templates_by_each_ref_from_gitlabs_address(tmp_path):
    paths, product = LabPaths(root=tmp_path / "lab"), tmp_path / "product"
    for round_ in ("first", "second"):
        for name in ("templates", "instance"):
            (product / name).mkdir(parents=True, exist_ok=True)
            (product / name / "a.yml").write_text(round_)
        (product / "secret").write_text("not for others")
        publish_templates(paths, product)
    url = "https://gitlab.com/immutable-base/immutable-base"
    for ref, address in (("v1", url), ("1.0.0", f"{url}.git".replace(".com/", ".com:443/"))):
        got = tmp_path / ref
        subprocess.run(
            ["git", "clone", "--quiet", "--branch", ref, address, got],
            check=True, capture_output=True, env={**os.environ, **git_environment(paths)},
        )  # fmt: skip
        assert (got / "templates/a.yml").read_text() == "second"
        assert {it.name for it in got.iterdir()} == {".git", "templates", "instance"}


@pytest.mark.parametrize("words", [["up"], ["scenario", "tiny"]])
def test_who_has_set_the_lab_up_needs_no_checkout_of_ours_to_include_from_it(
    tmp_path, monkeypatch, words
):
    monkeypatch.setattr(cli.Lab, "up", lambda *_, **__: 0)
    options = ["--state", str(tmp_path), "--product", str(ROOT / "immutable-base.toml")]
    assert main(["lab", *words, *options]) == 0
    (bare,) = tmp_path.rglob("immutable-base.git")
    listed = ["git", "-C", bare, "ls-tree", "--name-only", "v1"]
    done = subprocess.run(listed, check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["instance", "templates"]


def test_a_checkout_without_templates_publishes_none(tmp_path):
    paths = LabPaths(root=tmp_path / "lab")
    publish_templates(paths, tmp_path)
    assert not paths.git.exists()


# ------------------------------------------------------------------ the program that runs them


def test_another_package_than_the_pinned_one_is_not_unpacked(tmp_path):
    def npm(command):
        name = f"gitlab-ci-local-{gitlab_ci_local.VERSION}.tgz"
        with tarfile.open(command.cwd / name, "w:gz") as archive:
            info = tarfile.TarInfo(gitlab_ci_local.SCRIPT)
            archive.addfile(info, io.BytesIO(b""))
        return Result(status=0, stdout=b"", stderr_tail="")

    paths = LabPaths(root=tmp_path)
    for _ in range(2):
        with pytest.raises(VerificationError, match="is not the package that is pinned"):
            gitlab_ci_local.ensure(paths, runner=npm)
    assert not (paths.tools / "gitlab-ci-local").exists()
    assert list(paths.tools.rglob("index.js")) == []


def test_npm_trusts_the_authorities_that_every_other_program_trusts(tmp_path, monkeypatch):
    """Node reads no SSL_CERT_FILE."""
    monkeypatch.delenv("NODE_EXTRA_CA_CERTS", raising=False)
    monkeypatch.setenv("SSL_CERT_FILE", "/a/bundle.pem")
    monkeypatch.setenv("npm_config_registry", "https://npm.example")
    asked = []

    def npm(command):
        asked.append(command.env)
        raise CommandError("enough")

    with pytest.raises(CommandError):
        gitlab_ci_local.ensure(LabPaths(root=tmp_path), runner=npm)
    (env,) = asked
    assert env["NODE_EXTRA_CA_CERTS"] == "/a/bundle.pem"
    assert env["npm_config_registry"] == "https://npm.example"
