"""What a login may do, what the clock says, and whether GitLab's cleanup is off."""

import json
import time

import pytest

from immutable_base.model.online import State
from immutable_base.runner.access import look_at_registry
from immutable_base.runner.gitlab import look_at_cleanup
from immutable_base.verification.registry import RegistryReader
from support.web import Reply

PATH = "os/base"
TAGS, UPLOADS = ("GET", f"{PATH}/tags/list"), ("POST", f"{PATH}/blobs/uploads/")


@pytest.fixture
def look(registry, client, tmp_path):
    registry.repository(PATH).image("x", "latest")

    def call(*, signs=True, now=None):
        reader = RegistryReader(
            client=client, repository=f"{registry.host}/{PATH}",
            environment={"HOME": str(tmp_path)}, actions="pull,push",
        )  # fmt: skip
        found = look_at_registry(reader, signs=signs, now=time.time() if now is None else now)
        return {finding.name: finding for finding in found}

    return call


def test_reading_and_writing_are_tried_and_nothing_is_left_behind(look, registry):
    assert {name: it.state for name, it in look().items()} == {
        "registry: read": State.OK, "registry: write": State.OK, "clock": State.OK,
    }  # fmt: skip
    assert registry.uploads == 0
    assert [method for method, _ in registry.written()] == ["POST", "DELETE"]


def test_a_repository_that_is_not_there_yet_is_fine(look, registry):
    registry.repositories.clear()
    assert look()["registry: read"].state is State.OK


@pytest.mark.parametrize("status", [401, 403, 429, 500])
def test_a_registry_that_does_not_let_this_login_read_is_a_fault(look, registry, status):
    registry.replies[TAGS] = [Reply(b"", status)]
    found = look()["registry: read"]
    assert found.state is State.FAULT
    assert str(status) in found.message
    assert "buildah login" in found.fix


@pytest.mark.parametrize(("signs", "state"), [(True, State.FAULT), (False, State.WARNING)])
@pytest.mark.parametrize("status", [401, 403, 405, 500])
def test_who_must_write_and_may_not_has_a_fault(look, registry, status, signs, state):
    registry.replies[UPLOADS] = [Reply(b"", status)]
    assert look(signs=signs)["registry: write"].state is state


@pytest.mark.parametrize(
    "location", ["", "//[", "https://elsewhere.example/v2/os/base/blobs/uploads/1"]
)
def test_an_upload_that_is_somewhere_else_is_not_touched(look, registry, location):
    registry.replies[UPLOADS] = [Reply(b"", 202, {"Location": location})]
    assert "could not be cancelled" in look()["registry: write"].message
    assert [method for method, _ in registry.written()] == ["POST"]


@pytest.mark.parametrize(
    ("off", "state"),
    [(5, State.OK), (60, State.WARNING), (-60, State.WARNING), (3600, State.FAULT)],
)
def test_a_clock_that_is_wrong_is_told(look, off, state):
    assert look(now=time.time() + off)["clock"].state is state


# ------------------------------------------------------------------ GitLab's cleanup policy

PROJECT = ("GET", "projects/42")


def ask(registry, client, body=None, status=200, **changes):
    if body is not None:
        registry.replies[PROJECT] = [Reply(json.dumps(body).encode(), status)]
    environment = {
        # The stand-in serves one API, below /v2/.
        "CI_API_V4_URL": f"https://{registry.host}/v2", "CI_PROJECT_ID": "42",
        "GITLAB_TOKEN": "glpat-x", **changes,
    }  # fmt: skip
    return look_at_cleanup(client, {k: v for k, v in environment.items() if v is not None})


def policy(enabled):
    return {"id": 42, "container_expiration_policy": {"enabled": enabled, "older_than": "90d"}}


def test_a_policy_that_is_off_is_fine_and_one_that_is_on_a_fault(registry, client):
    assert ask(registry, client, policy(enabled=False)).state is State.OK
    found = ask(registry, client, policy(enabled=True))
    assert found.state is State.FAULT
    assert "prune-the-registry.md" in found.fix


@pytest.mark.parametrize(
    "body",
    [{}, [], {"container_expiration_policy": None}, policy(enabled="no"), policy(enabled=None)],
)
def test_gitlab_that_does_not_say_is_not_taken_for_off(registry, client, body):
    assert ask(registry, client, body).state is State.WARNING


@pytest.mark.parametrize("status", [401, 403, 404, 429, 500])
def test_gitlab_that_does_not_answer_is_not_taken_for_off(registry, client, status):
    found = ask(registry, client, policy(enabled=False), status)
    assert (found.state, "could not be asked" in found.message) == (State.WARNING, True)


@pytest.mark.parametrize(
    "changes",
    [
        {"CI_API_V4_URL": None}, {"CI_PROJECT_ID": None}, {"CI_PROJECT_ID": "../1"},
        {"GITLAB_TOKEN": None}, {"GITLAB_TOKEN": "a\nb"}, {"CI_API_V4_URL": "http://127.0.0.1"},
    ],
)  # fmt: skip
def test_without_a_job_or_a_token_nothing_is_asked(registry, client, changes):
    found = ask(registry, client, **changes)
    assert (found.state, "could not be asked" in found.message) == (State.WARNING, True)
    assert registry.requests == []


@pytest.mark.parametrize(
    "address", ["https://[", "https://gitlab.example:99999999", "file:///etc/passwd", "\n", "//"]
)
def test_an_address_that_is_none_is_told_and_nothing_is_asked(registry, client, address):
    assert ask(registry, client, CI_API_V4_URL=address).state is State.WARNING
