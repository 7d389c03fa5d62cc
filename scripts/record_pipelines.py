"""Write which jobs our pipelines start for each event, as gitlab-ci-local lists them; or compare.

scripts/record_pipelines.py           write tests/lab/snapshots/
scripts/record_pipelines.py --check   fail if a file differs, and show how

It needs neither root nor a lab that is up. gitlab-ci-local is the lab's, below --state, and is
fetched by npm if it is not there.
"""

from __future__ import annotations

import argparse
import difflib
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from immutable_base.instance.contract import ci_lines, load_contract, own_ref
from immutable_base.process import Command, run
from immutable_base_lab.core.paths import LabPaths, default_state
from immutable_base_lab.pipelines.pipeline import FLAGS
from immutable_base_lab.pipelines.projects import git_environment, publish_templates
from immutable_base_lab.programs import gitlab_ci_local

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "tests" / "lab" / "snapshots"
PROJECT = "immutable-base/immutable-base"
BRANCH = {"CI_COMMIT_BRANCH": "main", "CI_COMMIT_REF_PROTECTED": "true"}
EVENTS = {
    "schedule": {**BRANCH, "CI_PIPELINE_SOURCE": "schedule"},
    "push": {**BRANCH, "CI_PIPELINE_SOURCE": "push"},
    "manual": {**BRANCH, "CI_PIPELINE_SOURCE": "web"},
    "tag": {
        "CI_PIPELINE_SOURCE": "push",
        "CI_COMMIT_TAG": "v1.0.0",
        "CI_COMMIT_BRANCH": "",
        "CI_COMMIT_REF_PROTECTED": "true",
    },
    "merge-request": {
        "CI_PIPELINE_SOURCE": "merge_request_event",
        "CI_COMMIT_BRANCH": "",
        "CI_COMMIT_REF_PROTECTED": "false",
    },
}
"""What GitLab sets, by event. Source: GitLab, "Predefined CI/CD variables"."""
PROBE = "does a pipeline start?"
"""A job with the rules of `workflow`, which gitlab-ci-local does not heed."""
SECONDS = 120.0


def main() -> int:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing")
    parser.add_argument("--checkout", type=Path, default=ROOT, help="whose pipelines")
    parser.add_argument("--state", type=Path, default=default_state(), help="the lab's folder")
    given = parser.parse_args()
    program = gitlab_ci_local.ensure(LabPaths(root=given.state.resolve()))
    with tempfile.TemporaryDirectory() as scratch:
        found = dict(snapshots(program, given.checkout.resolve(), Path(scratch)))
    if given.check:
        return compare(found)
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir()
    for name, text in found.items():
        (FOLDER / name).write_text(text)
    return 0


def compare(found: dict[str, str]) -> int:
    """Show how the recorded files differ; return 1 if they do."""
    recorded = {path.name: path.read_text() for path in FOLDER.glob("*")}
    for name in sorted(recorded.keys() | found.keys()):
        old, new = (it.get(name, "").splitlines() for it in (recorded, found))
        for line in difflib.unified_diff(old, new, f"recorded/{name}", f"now/{name}", lineterm=""):
            print(line)
    return 0 if recorded == found else 1


def snapshots(program: tuple[str, ...], checkout: Path, scratch: Path) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each file."""
    paths = LabPaths(root=scratch / "lab")
    publish_templates(paths, checkout)
    env = {**git_environment(paths), "HOME": str(scratch)}
    made = {"nightly": nightly(checkout, scratch), "instance": instance(checkout, scratch)}
    for pipeline, folder in made.items():
        for event, variables in EVENTS.items():
            jobs = listed((*program, *FLAGS), folder, variables, env)
            yield f"{pipeline}-{event}.json", text_of(jobs)


def nightly(checkout: Path, scratch: Path) -> Path:
    """Return a repository with the pipeline of the bases."""
    folder = scratch / "nightly"
    shutil.copytree(checkout / "ci", folder / "ci")
    # Its job for code starts where there is any.
    code = folder / "src/immutable_base/__init__.py"
    code.parent.mkdir(parents=True)
    code.touch()
    text = (checkout / ".gitlab-ci.yml").read_text()
    return repository(folder, PROJECT, text, probing(text))


def instance(checkout: Path, scratch: Path) -> Path:
    """Return a repository downstream, as `instance init` writes it."""
    template = (checkout / "templates" / "instance.yml").read_text().partition("\n---\n")[2]
    text = "\n".join([*ci_lines(load_contract().project, own_ref()), ""])
    return repository(scratch / "instance", "acme/nas", text, probing(template))


def probing(text: str) -> str:
    """Return a job that starts if the workflow of a pipeline (YAML) lets it start."""
    reader = YAML(typ="safe")
    reader.constructor.add_constructor("!reference", lambda *_: None)
    document = reader.load(text)
    rules, stage = document["workflow"]["rules"], document["stages"][0]
    job = {"stage": stage, "needs": [], "script": ["true"], "rules": rules}
    return json.dumps(PROBE) + ": " + json.dumps(job) + "\n"


def repository(folder: Path, project: str, text: str, probe: str) -> Path:
    """Make a repository with a pipeline and a remote on GitLab, on its default branch."""
    folder.mkdir(exist_ok=True)
    (folder / ".gitlab-ci.yml").write_text(f"{text}\n{probe}")
    author = ("-c", "user.name=lab", "-c", "user.email=lab@example.com")
    for words in (
        ("init", "--quiet", "--initial-branch=main"),
        ("remote", "add", "origin", f"https://gitlab.com/{project}.git"),
        ("add", "--all"),
        (*author, "commit", "--quiet", "--message=begin"),
        ("update-ref", "refs/remotes/origin/main", "HEAD"),
        ("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main"),
    ):
        run(Command(argv=("git", *words), cwd=folder, timeout=SECONDS))
    return folder


def listed(
    command: tuple[str, ...], folder: Path, variables: dict[str, str], env: dict[str, str]
) -> dict[str, Any]:
    """Return the jobs that start, by name, in the order of the pipeline; none if it does not."""
    words = [word for item in variables.items() for word in ("--variable", "=".join(item))]
    quiet = f"--ignore-predefined-vars={','.join(variables)}"
    argv = (*command, quiet, *words, "--fetch-includes", "--list-json")
    text = run(Command(argv=argv, cwd=folder, env=env, timeout=SECONDS)).text
    jobs = {job["name"]: job for job in json.loads(text) if job["when"] != "never"}
    return {name: told(job) for name, job in jobs.items() if name != PROBE} if PROBE in jobs else {}


def text_of(jobs: dict[str, Any]) -> str:
    """Return the JSON of some jobs, a line for each."""
    lines = (f"  {json.dumps(name)}: {json.dumps(job)}" for name, job in jobs.items())
    return "\n".join(["{", ",\n".join(lines), "}", ""]) if jobs else "{}\n"


def told(job: dict[str, Any]) -> dict[str, Any]:
    """Return what a reader wants to know of a job, with what it needs by name."""
    found = {key: job[key] for key in job if key not in {"name", "description", "rules", "needs"}}
    if "needs" in job:
        found["needs"] = [named(need) for need in job["needs"]]
    return found


def named(need: dict[str, Any]) -> str | dict[str, Any]:
    """Return the name of a job that is needed, and more where it is not just needed."""
    usual = {"artifacts": True, "optional": False}
    return need["job"] if need == {"job": need["job"], **usual} else need


if __name__ == "__main__":
    sys.exit(main())
