"""What a job's variables, its token and its mounts say."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from immutable_base.config.load import load_settings
from immutable_base.model.online import State
from immutable_base.runner.job import look_at_job, look_at_volume
from immutable_base.verification.policy import Signer
from support.forge import IDENTITY, ISSUER
from support.paths import PRODUCT, ROOT
from support.pipelines import documents_of
from support.publish_world import token_for

NOW = 1_795_000_000
SIGNER = Signer(identity=IDENTITY, issuer=ISSUER)
STARTED = datetime.fromtimestamp(NOW, UTC).isoformat()
JOB = {
    "GITLAB_CI": "true",
    "CI_COMMIT_REF_NAME": "main",
    "CI_COMMIT_REF_PROTECTED": "true",
    "CI_JOB_TIMEOUT": "10800",
    "CI_JOB_STARTED_AT": STARTED,
    "CI_RUNNER_TAGS": '["linux", "saas-linux-medium-amd64"]',
    "IMMUTABLE_BASE_RUNNER": "saas-linux-medium-amd64",
    "CI_JOB_IMAGE": f"registry.example/group/ci:latest@sha256:{'0' * 64}",
}


def token(**changes):
    claims = {"exp": NOW + 10800, "ref_protected": "true", **changes}
    return token_for(load_settings(PRODUCT), **claims)


def look(protected_ref=True, **changes):
    environment = {k: v for k, v in {**JOB, **changes}.items() if v is not None}
    found = look_at_job(environment, SIGNER, now=NOW, protected_ref=protected_ref)
    return {finding.name: finding for finding in found}


def test_a_job_that_signs_and_has_everything_is_fine():
    found = look(SIGSTORE_ID_TOKEN=token())
    assert {finding.state for finding in found.values()} == {State.OK}, found


def test_a_job_without_a_token_is_told_what_it_cannot_do():
    found = look()["identity token"]
    assert found.state is State.WARNING
    assert "id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}" in found.fix


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("no token", "three parts"),
        (token(aud="vault"), "audience"),
        (token(iss="https://gitlab.example"), "issued by"),
        (token(exp=NOW - 5), "expired"),
        (token(ci_config_ref_uri=None), "does not name a pipeline"),
        (token(ci_config_ref_uri="gitlab.com/fork/x//.gitlab-ci.yml@refs/heads/main"), "another pipeline"),
        (token(ref_protected="false"), "not protected"),
    ],
)  # fmt: skip
def test_a_token_that_could_not_sign_is_a_fault(text, words):
    found = look(SIGSTORE_ID_TOKEN=text)["identity token"]
    assert found.state is State.FAULT
    assert words in found.message
    assert found.fix
    assert text not in found.message


def test_a_token_that_ends_before_the_job_may_is_told():
    found = look(SIGSTORE_ID_TOKEN=token(exp=NOW + 3600))["identity token"]
    assert (found.state, "120 minutes before" in found.message) == (State.WARNING, True)
    assert look(SIGSTORE_ID_TOKEN=token(exp=NOW + 3600), CI_JOB_TIMEOUT="3600")[
        "identity token"
    ].state is State.OK  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"CI_COMMIT_REF_PROTECTED": "false"}, "protected ref"),
        ({"CI_COMMIT_REF_PROTECTED": None}, "protected ref"),
        ({"CI_JOB_TIMEOUT": "3600"}, "timeout"),
        ({"CI_JOB_TIMEOUT": None}, "timeout"),
        ({"CI_JOB_TIMEOUT": "three hours"}, "timeout"),
        ({"CI_JOB_IMAGE": "registry.example/group/ci:latest"}, "job image"),
        ({"CI_JOB_IMAGE": "registry.example/group/ci@sha256:0"}, "job image"),
        ({"CI_JOB_IMAGE": "\xe4"}, "job image"),
        ({"CI_RUNNER_TAGS": None}, "runner tags"),
        ({"CI_RUNNER_TAGS": "saas-linux-medium-amd64"}, "runner tags"),
        ({"CI_RUNNER_TAGS": '"saas-linux-medium-amd64"'}, "runner tags"),
        ({"CI_RUNNER_TAGS": "[]"}, "runner tags"),
        ({"CI_RUNNER_TAGS": '["immutable-base"]'}, "runner tags"),
        ({"CI_RUNNER_TAGS": "[[]]"}, "runner tags"),
        ({"IMMUTABLE_BASE_RUNNER": "immutable-base"}, "runner tags"),
        ({"GITLAB_CI": None}, "job"),
    ],
)
def test_what_a_night_would_miss_is_a_warning_with_its_fix(changes, name):
    found = look(**changes)[name]
    assert found.state is State.WARNING
    assert found.fix


def test_the_hosted_runner_that_gitlab_takes_by_itself_is_told_of_its_disk():
    small = "saas-linux-small-amd64"
    found = look(CI_RUNNER_TAGS=f'["{small}"]', IMMUTABLE_BASE_RUNNER=small)["runner tags"]
    assert (found.state, "30 GB" in found.message) == (State.WARNING, True)
    assert (
        look(CI_RUNNER_TAGS='["own"]', IMMUTABLE_BASE_RUNNER=None)["runner tags"].state is State.OK
    )


def test_what_the_pipeline_gives_its_own_job_is_enough():
    """Seen: the job `runner` was warned of its own timeout in every night."""
    (pipeline,) = documents_of(ROOT / ".gitlab-ci.yml")
    hours = pipeline["runner"]["timeout"]
    assert re.fullmatch(r"\dh", hours)
    tag = pipeline["variables"]["IMMUTABLE_BASE_RUNNER"]
    found = look(
        CI_JOB_TIMEOUT=str(int(hours[0]) * 3600), CI_RUNNER_TAGS=json.dumps([tag]), IMMUTABLE_BASE_RUNNER=tag,
    )  # fmt: skip
    assert {found[name].state for name in ("timeout", "runner tags")} == {State.OK}
    assert f"`timeout: {hours}`" in look(CI_JOB_TIMEOUT="3600")["timeout"].fix


MOUNTS = """\
22 1 0:21 / / rw,relatime - overlay overlay rw,lowerdir=/l
23 22 8:1 /builds /builds rw,relatime shared:1 - ext4 /dev/sda1 rw
24 23 0:30 / /builds/a\\040b rw - tmpfs tmpfs rw
"""


@pytest.mark.parametrize(
    ("folder", "state", "words"),
    [
        ("/builds/group/project/.nights", State.OK, "ext4"),
        ("/builds/a b/c", State.OK, "tmpfs"),
        ("/root/.local/state", State.WARNING, "overlay"),
        ("/buildsx", State.WARNING, "overlay"),
    ],
)
def test_a_workspace_on_a_containers_own_file_system_is_told(folder, state, words):
    found = look_at_volume(MOUNTS, Path(folder))
    assert (found.state, words in found.message) == (state, True)


@pytest.mark.parametrize("text", ["", "nonsense", "1 2 3 - \n"])
def test_mounts_that_are_not_understood_are_told(text):
    assert look_at_volume(text, Path("/builds")).state is State.WARNING


def test_a_job_without_an_image_has_none_to_be_told_of():
    assert "job image" not in look(CI_JOB_IMAGE=None)
