"""A repository on GitLab, and its pipelines as the lab runs them."""

from __future__ import annotations

import base64
import json
import re
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

ENDED = re.compile(r"^ (PASS|WARN|FAIL)  (.*?)(?: +pre_script)?\s*$", re.MULTILINE)
"""How gitlab-ci-local tells at the end what became of a job."""
BUILDS = ".gitlab-ci-local/builds"
ARTIFACTS = ".gitlab-ci-local/artifacts"
HOST = "https://gitlab.com"
WATCH = """\
trap 'printf %s "${{SIGSTORE_ID_TOKEN:-}}" > "{folder}/$CI_JOB_NAME"' EXIT
"""
"""What the shell of each job does at its end. Source: bash(1), BASH_ENV."""


@dataclass(frozen=True)
class PipelineRun:
    """A pipeline that has ended."""

    status: int
    log: str
    tokens: dict[str, str]
    """By job that ran: the identity token in its environment; empty if it had none."""
    jobs: dict[str, str] = field(init=False)
    """PASS, WARN or FAIL, by job; a job that did not run is not in it."""

    def __post_init__(self):
        object.__setattr__(self, "jobs", {name: how for how, name in ENDED.findall(self.log)})

    def said(self, job: str) -> str:
        """Return what a job printed."""
        lines = (line.partition(" > ") for line in self.log.splitlines())
        return "\n".join(text for head, _, text in lines if head.strip() == job)

    @property
    def able_to_sign(self) -> set[str]:
        """Return the jobs that had a token."""
        return {job for job, token in self.tokens.items() if token}


@dataclass(frozen=True)
class Repository:
    """A checkout with a remote `origin` on GitLab's host, on its default branch."""

    folder: Path
    lab: object
    scenario: str = "tiny"
    env: dict[str, str] = field(default_factory=dict)
    """What its runner has otherwise than this process."""

    def git(self, *words: str) -> str:
        """Run git in it."""
        done = subprocess.run(
            ["git", "-C", self.folder, "-c", "user.name=Somebody", "-c", "user.email=a@example.com", *words],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    def begin(self, project: str) -> None:
        """Make a repository of a project out of the folder, with all that is in it."""
        self.git("init", "--quiet", "--initial-branch=main")
        self.git("remote", "add", "origin", f"{HOST}/{project}.git")
        self.commit("begin")
        self.git("update-ref", "refs/remotes/origin/main", "HEAD")
        self.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")

    def commit(self, message: str) -> str:
        """Commit everything and return the commit."""
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message", message)
        return self.git("rev-parse", "HEAD")

    def pipeline(self, *words: str) -> PipelineRun:
        """Run a pipeline, by default as a schedule starts it on the protected branch."""
        with tempfile.TemporaryDirectory() as scratch:
            folder, script = Path(scratch, "jobs"), Path(scratch, "watch")
            folder.mkdir()
            script.write_text(WATCH.format(folder=folder))
            done = self._lab("--variable", f"BASH_ENV={script}", *words)
            tokens = {path.name: path.read_text() for path in folder.iterdir()}
        return PipelineRun(done.returncode, done.stdout + done.stderr, tokens)

    def jobs(self, *words: str) -> dict[str, dict]:
        """Return the jobs that a pipeline would run, by name."""
        done = self._lab("--list", *words)
        assert done.returncode == 0, done.stderr
        listed = json.loads(done.stdout)
        return {job["name"]: job for job in listed if job["when"] != "never"}

    def clear(self) -> None:
        """Remove what jobs left: each has a storage of its own, three gigabytes for a night."""
        shutil.rmtree(self.folder / BUILDS, ignore_errors=True)

    def left_by(self, job: str) -> Path:
        """Return the folder in which a job worked."""
        # gitlab-ci-local's own way to make a folder's name of a job's.
        name = re.sub(
            r"[^\w-]+",
            lambda it: base64.urlsafe_b64encode(it[0].encode()).decode().rstrip("="),
            job,
        )
        return self.folder / BUILDS / name

    def _lab(self, *words: str) -> subprocess.CompletedProcess:
        state = ("--state", str(self.lab.state), "--folder", str(self.folder))
        words = ("lab", "pipeline", *state, "--scenario", self.scenario, *words)
        return self.lab.product(*words, env=self.env)

    def as_on_another_machine(self, folder: Path) -> Repository:
        """Return a checkout of the same commit, whose runner has a home of its own."""
        subprocess.run(["git", "clone", "--quiet", self.folder, folder], check=True)
        home = folder.with_name(f"{folder.name}-home")
        home.mkdir()
        env = {"HOME": str(home), "XDG_STATE_HOME": str(home / "state")}
        found = Repository(folder, self.lab, self.scenario, env)
        found.git("remote", "set-url", "origin", self.git("remote", "get-url", "origin"))
        return found

    def hand_over(self, other: Repository, *jobs: str) -> None:
        """Give the artifacts of jobs to another runner, as GitLab would; not every job leaves any."""
        for job in jobs:
            name = self.left_by(job).name
            source, target = (it.folder / ARTIFACTS / name for it in (self, other))
            if source.is_dir():
                shutil.copytree(source, target, dirs_exist_ok=True)


def base_repository(folder: Path, lab, configuration: Path, scenario: str = "tiny") -> Repository:
    """Return our own repository as `init` and `ci` write it, with a scenario's configuration."""
    done = lab.product("init", folder)
    assert done.returncode == 0, done.stderr
    shutil.copy(configuration, folder / "immutable-base.toml")
    shutil.rmtree(folder / "layers")
    shutil.copytree(configuration.parent / "layers", folder / "layers")
    done = lab.product(
        "ci", "--config", folder / "immutable-base.toml", "--output", folder / "ci/variants.yml"
    )
    assert done.returncode == 0, done.stderr
    found = Repository(folder, lab, scenario)
    found.begin("immutable-base/immutable-base")
    return found


def instance_repository(folder: Path, lab, project: str, base: str) -> Repository:
    """Return a repository downstream, as `instance init` writes it, with one file of its own."""
    done = lab.product("instance", "init", folder, "--base", base)
    assert done.returncode == 0, done.stderr
    containerfile = folder / "Containerfile"
    before, copies, after = containerfile.read_text().partition("# COPY files/ /")
    assert copies, "what a reader is told to take the comment away from"
    containerfile.write_text(f"{before}{copies.removeprefix('# ')}{after}")
    (folder / "files/etc").mkdir(parents=True)
    (folder / "files/etc/role").write_text("file server\n")
    found = Repository(folder, lab)
    found.begin(project)
    return found
