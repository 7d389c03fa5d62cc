"""A pipeline of a repository: what GitLab would set, and the program that runs its jobs."""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.errors import ConfigurationError
from immutable_base.process import ANY_STATUS, Command, LineSink, Runner, run
from immutable_base.sign import TOKEN_VARIABLE
from immutable_base_lab.lab import Lab
from immutable_base_lab.pipelines.projects import git_environment
from immutable_base_lab.pipelines.tokens import OVERLAY, overlay
from immutable_base_lab.programs import gitlab_ci_local
from immutable_base_lab.scenarios.scenario import Scenario
from immutable_base_lab.services.issuer import GITLAB_HOST

log = logging.getLogger("immutable_base.lab")

FLAGS = (
    "--force-shell-executor",
    "--shell-isolation",
    "--no-color",
    "--no-artifacts-to-source",
    "--concurrency=2",
)
"""Each job runs in a folder of its own and gets other jobs' artifacts: as many runners as jobs."""
SOURCES = ("schedule", "web", "push", "merge_request_event")
REMOTE = re.compile(rf"https://{re.escape(GITLAB_HOST)}/(?P<project>[^\s?#]+?)(\.git)?")
CONFIGURATION = "immutable-base.toml"
WORKSPACE = ".nights"
"""Below the job's folder, as the product's default is on GitLab; gitlab-ci-local tells every job
that it is in /builds, wherever it is."""
SECONDS = 120.0
EXCLUDED = "/.gitlab-ci-local*"
"""What gitlab-ci-local and we write into a checkout."""
DAY = 86400.0
RED = " FAIL  "
"""Begins the line about a job that failed, in the summary at the end."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pipeline:
    """One pipeline, as GitLab would start it."""

    folder: Path
    """Checkout of the repository."""
    source: str
    """One of `SOURCES`."""
    protected: bool = True
    """Whether the branch is."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Beyond those that GitLab sets, e.g. what a person types in its form."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checkout:
    """What git knows of a repository."""

    project: str
    """Path on GitLab's host."""
    branch: str


def read_checkout(folder: Path, *, runner: Runner = run) -> Checkout:
    """Return which project and branch a checkout is of.

    Raises ConfigurationError if it has no pipeline, or no remote `origin` on GitLab's host.
    """
    if not (folder / ".gitlab-ci.yml").is_file():
        raise ConfigurationError(f"there is no .gitlab-ci.yml in {folder}")
    url = _git(folder, runner, "remote", "get-url", "origin")
    found = REMOTE.fullmatch(url)
    if found is None:
        raise ConfigurationError(
            f"the remote `origin` of {folder} is {url}, no project on {GITLAB_HOST}",
            hint=f"git remote set-url origin https://{GITLAB_HOST}/GROUP/PROJECT.git",
        )
    branch = _git(folder, runner, "rev-parse", "--abbrev-ref", "HEAD")
    return Checkout(project=found["project"], branch=branch)


def _git(folder: Path, runner: Runner, *words: str) -> str:
    argv = ("git", "-C", str(folder), *words)
    return runner(Command(argv=argv, timeout=SECONDS)).text.strip()


def _exclude(folder: Path, runner: Runner) -> None:
    """Keep what gitlab-ci-local writes out of git, tokens among it. Source: gitignore(5)."""
    path = folder / _git(folder, runner, "rev-parse", "--git-path", "info/exclude")
    lines = path.read_text().splitlines() if path.is_file() else []
    if EXCLUDED not in lines:
        path.parent.mkdir(exist_ok=True)
        path.write_text("\n".join([*lines, EXCLUDED, ""]))


def pipeline_environment(lab: Lab, pipeline: Pipeline, scenario: Scenario) -> dict[str, str]:
    """Return what every job finds in its environment: the lab, and no token.

    A repository that has a configuration of its own uses that one.
    """
    env = lab.environment({}, scenario=scenario)
    env["IMMUTABLE_BASE_WORKSPACE"] = WORKSPACE
    if _has_configuration(pipeline):
        env["IMMUTABLE_BASE_CONFIG"] = CONFIGURATION
    env |= git_environment(lab.paths)
    return {name: value for name, value in env.items() if name != TOKEN_VARIABLE}


def _has_configuration(pipeline: Pipeline) -> bool:
    return (pipeline.folder / CONFIGURATION).is_file()


def configuration_variable(lab: Lab, pipeline: Pipeline, scenario: Scenario) -> dict[str, str]:
    """Return the variable that a project downstream of the lab's bases has in its settings.

    Without it the template's jobs take the configuration of their image, which says that the real
    project signs; here jobs run without an image.
    """
    if _has_configuration(pipeline):
        return {}
    return {
        "IMMUTABLE_BASE_CONFIG": lab.environment({}, scenario=scenario)["IMMUTABLE_BASE_CONFIG"]
    }


def prepare(lab: Lab, pipeline: Pipeline, *, runner: Runner = run) -> tuple[str, ...]:
    """Give each job its tokens, and return the command that runs the pipeline in its folder.

    Raises ConfigurationError if there is no pipeline of a project, CommandError if it cannot be
    read.
    """
    checkout = read_checkout(pipeline.folder, runner=runner)
    registry = lab.surroundings().address("registry")
    protected = "true" if pipeline.protected else "false"
    variables = {
        "CI_PIPELINE_SOURCE": pipeline.source,
        "CI_COMMIT_REF_PROTECTED": protected,
        # The lab's issuer of tokens lives at another address than GitLab, on the standard port.
        "CI_SERVER_URL": lab.surroundings().url("issuer"),
        "CI_SERVER_PORT": "80",
        "CI_REGISTRY": registry,
        "CI_REGISTRY_IMAGE": f"{registry}/{checkout.project.lower()}",
        **pipeline.variables,
    }
    words = (word for item in variables.items() for word in ("--variable", "=".join(item)))
    quiet = f"--ignore-predefined-vars={','.join(variables)}"
    command = (*gitlab_ci_local.ensure(lab.paths, runner=runner), *FLAGS, quiet, *words)
    _exclude(pipeline.folder, runner)
    (pipeline.folder / OVERLAY).unlink(missing_ok=True)
    preview = Command(
        argv=(*command, "--fetch-includes", "--preview"),
        timeout=SECONDS,
        cwd=pipeline.folder,
        env=git_environment(lab.paths),
    )

    def make_token(audience: str) -> str:
        return lab.token(
            audience=audience,
            project=checkout.project,
            ref=checkout.branch,
            source=pipeline.source,
            protected=protected,
        )

    (pipeline.folder / OVERLAY).write_text(overlay(runner(preview).text, make_token))
    return command


def run_jobs(command: tuple[str, ...], folder: Path, env: Mapping[str, str], show: LineSink) -> int:
    """Run what `prepare` returned, and return 1 if a job is red, else 0.

    gitlab-ci-local's own status is 0 if what failed might have failed with another exit code.
    """
    red: list[str] = []

    def look(line: str) -> None:
        if line.startswith(RED):
            red.append(line)
        show(line)

    started = Command(argv=command, cwd=folder, env=env, timeout=DAY, ok=ANY_STATUS, each_line=look)
    result = run(started)
    for line in result.stderr_tail.splitlines():
        log.log(logging.WARNING if result.status else logging.INFO, "%s", line)
    return 1 if red or result.status else 0
