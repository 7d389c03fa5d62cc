"""A plan from a file is carried out as it is, or not at all."""

import json
import os

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.prune.load import load_prune_plan
from support.web import Reply

TAGS = "os/base/tags/list"


def test_a_pipe_is_no_plan(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ConfigurationError, match="is a pipe"):
        load_prune_plan(tmp_path / "pipe")


@pytest.fixture
def saved(nights, tmp_path):
    path = tmp_path / "plan.json"
    assert nights.prune("--format", "json", "--output", path).code == 0
    return path


def test_a_plan_from_a_file_is_carried_out(nights, saved):
    assert nights.prune("--yes", "--from", saved).code == 0
    assert not nights.old & set(nights.base.manifests)


@pytest.mark.parametrize(
    "change",
    [
        lambda shelf: shelf.publish(0, "latest", words="again"),
        lambda shelf: shelf.base.tags.update({"rescued": shelf.nights[40]}),
        lambda shelf: shelf.base.beside(shelf.nights[5], ".sbom"),
    ],
)
def test_a_plan_that_the_registry_has_left_behind_is_refused(nights, saved, change):
    change(nights)
    done = nights.prune("--yes", "--from", saved)
    assert done.code == 6
    assert "changed since this plan was made" in done.err
    assert nights.registry.written() == []


def edited(**changes):
    return lambda document: {**document, **changes}


def more_goes(document):
    for item in document["repositories"][0]["items"]:
        item["action"] = "delete"
    return document


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (more_goes, 6),
        (edited(as_of="2999-01-01"), 2),
        (edited(as_of="2026-13-01"), 2),
        (edited(nights=0), 2),
        (edited(days=-1), 2),
        (edited(schema_version=2), 2),
        (edited(surprise=1), 2),
        (lambda document: [], 2),
        (lambda document: {**document, "repositories": [
            {"repository": "elsewhere.example/x", "exists": True, "items": []}]}, 2),
    ],
)  # fmt: skip
def test_a_plan_that_was_edited_deletes_nothing(nights, saved, edit, code):
    saved.write_text(json.dumps(edit(json.loads(saved.read_text()))))
    done = nights.prune("--yes", "--from", saved)
    assert done.code == code
    assert "Traceback" not in done.err
    assert nights.registry.written() == []


@pytest.mark.parametrize(
    "arguments",
    [
        ["--from", "plan.json"],
        ["--yes", "--plan"],
        ["--yes", "--from", "plan.json", "--days", "1"],
        ["--yes", "--from", "plan.json", "--variant", "base"],
        ["--yes", "--from", "/nonexistent/plan.json"],
        ["--nights", "0"],
        ["--days", "-1"],
        ["--instances", "registry.example/web:latest"],
        ["--variant", "nope"],
    ],
)
def test_arguments_that_make_no_sense_are_refused(nights, arguments):
    done = nights.prune(*arguments)
    assert done.code == 2
    assert nights.registry.requests == []


def test_only_deletion_asks_for_more_than_reading(nights):
    challenge = {
        "WWW-Authenticate": f'Bearer realm="https://{nights.registry.host}/v2/token",service="x"'
    }
    nights.registry.replies[("GET", "token")] = [Reply(b'{"token": "abc"}')]
    nights.registry.replies[("GET", TAGS)] = [Reply(b"", 401, challenge)]
    for arguments, scope in (([], "pull"), (["--yes"], "pull,push,delete")):
        nights.registry.queries.clear()
        nights.prune(*arguments)
        assert [query["scope"] for query in nights.registry.queries if "scope" in query] == [
            f"repository:os/base:{scope}"
        ]
