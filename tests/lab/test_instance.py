"""A repository downstream, command by command: the same image again, and promises that are broken.

Its pipelines are in test_instance_pipeline.py.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.scenario_runs import PRODUCT, ScenarioRuns, environment_of

PROJECT = "acme/fileserver"
STAGES = ("build", "check", "sbom", "publish")
OCI = "org.opencontainers.image"


@dataclass
class Downstream:
    """One repository, and the job that works on it."""

    folder: Path
    env: dict[str, str]
    workspace: Path

    @property
    def registry(self) -> str:
        return self.env["IMMUTABLE_BASE_REGISTRY"]

    @property
    def image(self) -> str:
        return self.env["CI_REGISTRY_IMAGE"]

    def commit(self, **files: str) -> None:
        self.folder.mkdir(exist_ok=True)
        if not (self.folder / ".git").exists():
            self.program("git", "init", "--quiet", "--initial-branch=main")
        for name, text in files.items():
            (self.folder / name).write_text(text)
        self.program("git", "add", "--all")
        names = ("-c", "user.name=x", "-c", "user.email=x@example.invalid")
        self.program("git", *names, "commit", "--quiet", "--message", "x")

    def program(self, *argv: str, code: int = 0) -> str:
        done = subprocess.run(argv, cwd=self.folder, env=self.env, capture_output=True, text=True)
        assert done.returncode == code, done.stderr
        return done.stdout.strip() or done.stderr

    def verb(self, name: str, *options: str, code: int = 0) -> dict:
        """Run one command; returns its document, or the error's words."""
        env = {**self.env, "IMMUTABLE_BASE_WORKSPACE": str(self.workspace)}
        argv = [*PRODUCT, "instance", name, "--format", "json", *options]
        done = subprocess.run(argv, cwd=self.folder, env=env, capture_output=True, text=True, timeout=1200)  # fmt: skip
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout) if done.stdout else {"error": done.stderr}

    def document(self, name: str) -> dict:
        return json.loads((self.workspace / "instance" / name).read_text())

    def tags(self) -> dict[str, str]:
        listing = json.loads(self.program("skopeo", "list-tags", f"docker://{self.image}"))["Tags"]
        return {
            tag: self.program("skopeo", "inspect", "--format", "{{.Digest}}", f"docker://{self.image}:{tag}")
            for tag in listing
            if not tag.startswith("sha256-")
        }  # fmt: skip

    def labels(self) -> dict[str, str]:
        raw = self.program(
            "skopeo", "inspect", "--raw", "--config", f"docker://{self.image}:latest"
        )
        return json.loads(raw)["config"]["Labels"]


@pytest.fixture(scope="module")
def runs(tiny_lab, tiny_night) -> ScenarioRuns:
    """The tiny stream with both of its variants published."""
    return ScenarioRuns(state=tiny_lab.state)


@pytest.fixture
def downstream(runs, tmp_path) -> Downstream:
    """A repository that was never published, in a registry path of its own."""
    text = runs._lab("env", "--scenario", "tiny", "--project", PROJECT).stdout
    env = environment_of(text)
    registry = env["IMMUTABLE_BASE_REGISTRY"].partition("/")[0]
    env |= {
        "CI_SERVER_URL": env["IMMUTABLE_BASE_ISSUER"], "CI_SERVER_HOST": "gitlab.com", "CI_PROJECT_PATH": PROJECT,
        "CI_DEFAULT_BRANCH": "main", "CI_PIPELINE_SOURCE": "schedule",
        "CI_REGISTRY_IMAGE": f"{registry}/acme/{os.urandom(4).hex()}/FileServer",
    }  # fmt: skip
    found = Downstream(tmp_path / "fileserver", env, tmp_path / "nights")
    found.env["CI_REGISTRY_IMAGE"] = env["CI_REGISTRY_IMAGE"].lower()
    words = (
        "RUN useradd --system --no-create-home filer && mkdir -p /var/log/x && date > /var/log/x/y"
    )
    found.commit(
        Containerfile=f"FROM {found.registry}/tiny-metronome:latest\nCOPY motd /etc/motd\n{words}\n",
        motd="hello\n",
    )
    return found


@pytest.mark.timeout(1800)
def test_the_same_commit_on_the_same_base_gives_the_same_image(downstream):
    decision = downstream.verb("detect-changes")
    assert (decision["outcome"], [r["rule"] for r in decision["reasons"]]) == (
        "rebuild",
        ["never-published"],
    )
    assert decision["base"]["variant"] == "tiny-metronome"
    assert [downstream.verb(stage)["outcome"] for stage in STAGES] == ["done"] * 4
    built = downstream.document("build.json")
    assert set(downstream.tags().values()) == {built["digest"]}
    labels = downstream.labels()
    assert labels[f"{OCI}.base.digest"] == decision["base"]["digest"]
    assert labels[f"{OCI}.revision"] == downstream.program("git", "rev-parse", "HEAD")
    assert labels["io.immutable-base.module.metronome"], "the base's modules are its own too"

    # The same inputs again give the same image: nothing is signed or tagged anew.
    downstream.verb("detect-changes", "--force")
    for stage in STAGES:
        downstream.verb(stage)
    assert downstream.document("build.json")["digest"] == built["digest"]
    assert downstream.document("publish.json")["status"] == "unchanged"


BROKEN = {
    "a module that is gone": ("RUN rm /usr/lib/modules/*/extra/metronome.ko*", ["every module of the base", "metronome"]),
    "a second kernel": ("RUN mkdir /usr/lib/modules/6.1.0 && touch /usr/lib/modules/6.1.0/vmlinuz", ["one kernel", "6.1.0"]),
    "a module of no package": (
        "RUN cp /usr/lib/modules/*/extra/metronome.ko* $(dirname /usr/lib/modules/*/extra/metronome.ko*)/other.ko.xz",
        ["owned by no package"],
    ),
}  # fmt: skip


@pytest.mark.parametrize(("step", "words"), BROKEN.values(), ids=BROKEN.keys())
def test_an_instance_that_breaks_a_promise_is_not_published(downstream, step, words):
    downstream.commit(Containerfile=f"FROM {downstream.registry}/tiny-metronome:latest\n{step}\n")
    downstream.verb("detect-changes")
    downstream.verb("build")
    error = downstream.verb("check", code=10)["error"]
    assert [word for word in words if word not in error] == [], error
    downstream.verb("sbom")
    downstream.verb("publish", code=10)
    downstream.program("skopeo", "list-tags", f"docker://{downstream.image}", code=1)
