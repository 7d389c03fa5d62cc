"""A repository downstream on the tiny stream's `tiny-metronome`, from its first commit to its second image.

Built, checked, signed with its own identity and published by real programs; and what is refused.
"""

from __future__ import annotations

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.scenario_runs import PRODUCT, ScenarioRuns

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
def runs(lab_folder) -> ScenarioRuns:
    """The tiny stream with both of its variants published."""
    found = ScenarioRuns(state=lab_folder)
    done = found.run("tiny")
    assert done.returncode == 0, done.stderr
    return found


@pytest.fixture
def downstream(runs, tmp_path) -> Downstream:
    """A repository that was never published, in a registry path of its own."""
    text = runs._lab("env", "--scenario", "tiny", "--project", PROJECT).stdout
    env = runs._exported(text)
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
def test_an_instance_from_its_first_commit_to_its_second_image(downstream):
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

    # By hand, under the instance's identity, and under no other.
    cosign = (
        "cosign",
        "verify",
        "--certificate-oidc-issuer",
        downstream.env["IMMUTABLE_BASE_ISSUER"],
    )
    image = f"{downstream.image}@{built['digest']}"
    identity = f"https://gitlab.com/{PROJECT}//.gitlab-ci.yml@refs/heads/main"
    downstream.program(*cosign, "--certificate-identity", identity, image)
    other = identity.replace("acme", "mallory")
    failed = subprocess.run(
        [*cosign, "--certificate-identity", other, image], env=downstream.env, capture_output=True
    )
    assert failed.returncode != 0

    # A schedule without a change.
    assert downstream.verb("detect-changes")["outcome"] == "unchanged"
    assert downstream.verb("build")["outcome"] == "unchanged"

    # The same inputs again give the same image: nothing is signed or tagged anew.
    downstream.verb("detect-changes", "--force")
    for stage in STAGES:
        downstream.verb(stage)
    assert downstream.document("build.json")["digest"] == built["digest"]
    assert downstream.document("publish.json")["status"] == "unchanged"

    # A new commit.
    downstream.commit(motd="good morning\n")
    decision = downstream.verb("detect-changes")
    assert [(r["rule"], r["evidence"]) for r in decision["reasons"]] == [("files", ["motd"])]
    for stage in STAGES:
        downstream.verb(stage)
    report = downstream.verb("report")
    assert (report["outcome"], report["changes"]["packages"]) == ("published", [])
    assert (
        downstream.tags()["latest"]
        == downstream.document("build.json")["digest"]
        != built["digest"]
    )


def test_a_base_that_nobody_signed_is_refused_before_anything_is_built(downstream):
    unsigned = f"{downstream.image}-base:latest"
    downstream.program("skopeo", "copy", "--quiet", f"docker://{downstream.registry}/tiny-metronome:latest", f"docker://{unsigned}")  # fmt: skip
    downstream.commit(Containerfile=f"FROM {unsigned}\n")
    assert "no signature" in downstream.verb("detect-changes", code=13)["error"]
    assert "detect-changes` makes it" in downstream.verb("build", code=2)["error"]
    assert downstream.verb("report", code=13)["outcome"] == "failed"


def test_a_base_without_an_image_is_waited_for(downstream):
    downstream.commit(Containerfile=f"FROM {downstream.registry}/tiny-never:latest\n")
    assert downstream.verb("detect-changes")["outcome"] == "wait"
    assert downstream.verb("build")["outcome"] == "wait"


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
