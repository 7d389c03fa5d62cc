"""A repository downstream and the job that works on it, command by command, in the lab."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from support.scenario_runs import PRODUCT, ScenarioRuns, environment_of

PROJECT = "acme/fileserver"
STAGES = ("build", "check", "sbom", "publish")
NOTHING: Mapping[str, str] = {}


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
    def product_configuration(self) -> Path:
        return Path(self.env["IMMUTABLE_BASE_CONFIG"])

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
        process = self.start(name, *options)
        stdout, stderr = process.communicate(timeout=1200)
        assert process.returncode == code, stderr
        return json.loads(stdout) if stdout else {"error": stderr}

    def start(self, name: str, *options: str, env: Mapping[str, str] = NOTHING) -> subprocess.Popen:
        """Start one command; `env` is what its job has otherwise."""
        env = {**self.env, "IMMUTABLE_BASE_WORKSPACE": str(self.workspace), **env}
        argv = [*PRODUCT, "instance", name, "--format", "json", *options]
        return subprocess.Popen(
            argv,
            cwd=self.folder,
            env=env,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

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


def new_downstream(runs: ScenarioRuns, folder: Path) -> Downstream:
    """Return a repository that was never published, in a registry path of its own."""
    text = runs._lab("env", "--scenario", "tiny", "--project", PROJECT).stdout
    env = environment_of(text)
    registry = env["IMMUTABLE_BASE_REGISTRY"].partition("/")[0]
    env |= {
        "CI_SERVER_URL": env["IMMUTABLE_BASE_ISSUER"], "CI_SERVER_HOST": "gitlab.com", "CI_PROJECT_PATH": PROJECT,
        "CI_DEFAULT_BRANCH": "main", "CI_PIPELINE_SOURCE": "schedule",
        "CI_REGISTRY_IMAGE": f"{registry}/acme/{os.urandom(4).hex()}/FileServer",
    }  # fmt: skip
    found = Downstream(folder / "fileserver", env, folder / "nights")
    found.env["CI_REGISTRY_IMAGE"] = env["CI_REGISTRY_IMAGE"].lower()
    words = (
        "RUN useradd --system --no-create-home filer && mkdir -p /var/log/x && date > /var/log/x/y"
    )
    found.commit(
        Containerfile=f"FROM {found.registry}/tiny-metronome:latest\nCOPY motd /etc/motd\n{words}\n",
        motd="hello\n",
    )
    return found
