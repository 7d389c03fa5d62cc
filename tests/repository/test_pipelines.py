"""The pipelines that we ship: GitLab's schema, and what it does not know."""

import subprocess
import sys

import pytest

from support.paths import ROOT
from support.pipelines import complaints, read_jobs

NIGHTLY = (ROOT / ".gitlab-ci.yml", ROOT / "ci/variants.yml")
FILES = [ROOT / ".gitlab-ci.yml", ROOT / "ci/variants.yml"]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_file_passes_gitlabs_own_schema(path):
    command = (
        sys.executable, "-m", "check_jsonschema", "--builtin-schema=vendor.gitlab-ci",
        "--data-transform=gitlab-ci", str(path),
    )  # fmt: skip
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_lint_finds_nothing_in_the_nightly_pipeline():
    jobs = read_jobs(*NIGHTLY)
    assert len(jobs) > 25
    assert complaints(jobs) == []


SOUND = {
    "timeout": "1h",
    "script": ["immutable-base publish --variant base --exit-held"],
    "rules": [{"if": '$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH && $CI_COMMIT_REF_PROTECTED == "true"'}],
    "interruptible": False,
    "resource_group": "publish",
    "id_tokens": {"SIGSTORE_ID_TOKEN": {"aud": "sigstore"}},
    "artifacts": {"paths": ["x"], "expire_in": "1 week"},
}  # fmt: skip


def test_the_lint_finds_nothing_in_a_sound_job():
    assert complaints({"publish": SOUND}) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"timeout": None}, "no timeout"),
        ({"artifacts": {"paths": ["x"]}}, "stay for ever"),
        ({"allow_failure": True}, "it is not red"),
        ({"needs": ["plan"]}, "needs plan, which is no job"),
        ({"rules": None}, "may not be the protected default branch"),
        ({"rules": [{"if": "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH"}]}, "protected default branch"),
        ({"rules": [*SOUND["rules"], {"if": "$CI_PIPELINE_SOURCE"}]}, "protected default branch"),
        ({"interruptible": True}, "a second pipeline may run into it"),
        ({"resource_group": None}, "a second pipeline may run into it"),
        ({"script": ["immutable-base publish || true"]}, "unrecognized arguments"),
        ({"script": ["immutable-base publish --no-such"]}, "unrecognized arguments"),
        ({"script": ["make publish"]}, "none of our commands"),
        ({"script": ["immutable-base plan", "immutable-base run"]}, "2 commands, not one"),
        ({"script": []}, "0 commands, not one"),
    ],
)  # fmt: skip
def test_the_lint_names_what_is_wrong(change, said):
    job = {key: value for key, value in {**SOUND, **change}.items() if value is not None}
    assert any(said in text for text in complaints({"publish": job})), complaints({"publish": job})
