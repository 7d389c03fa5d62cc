"""What `report` says of a run that was made stage by stage."""

import json
import os

import pytest

from immutable_base.errors import CheckError, ConfigurationError
from immutable_base.run.failures import record_failures
from immutable_base.run.reported import report_of
from immutable_base.schedule import Node, NodeOutcome
from support.build_world import BuildWorld
from support.plans import plan
from support.stage_documents import leave_all, leave_facts


@pytest.fixture
def documents(tmp_path):
    world = BuildWorld(tmp_path, plan())
    world.run_all()
    leave_all(world.context.documents, plan().variants[0])
    return world.context.documents


def rows(documents):
    return {row.name: row for row in report_of(documents).variants}


def fail(documents, node, *variants, error):
    nodes = [Node(id=node, title=node, action=lambda _: None, variants=variants)]
    record_failures(documents, nodes, {node: NodeOutcome(id=node, state="failed", error=error)})


def test_published_held_and_not_finished_are_told_apart(documents):
    found = rows(documents)
    assert {name: row.outcome for name, row in found.items()} == {
        "base": "published", "base-zfs": "failed", "base-zfs-again": "failed", "base-zfs-old": "failed", "base-held": "held",
    }  # fmt: skip
    base = found["base"]
    assert base.reference.startswith("registry.example/base@sha256:")
    assert (base.packages, base.exit_code, base.seconds) == (6, 0, 2.0)
    assert base.size > 0
    assert base.sbom_size == documents.sbom(plan().variants[0]).stat().st_size
    assert found["base-zfs"].sbom_size == 0
    assert report_of(documents).exit_code == 2


def test_what_is_not_finished_names_the_first_document_that_is_missing_and_its_command(documents):
    leave_facts(documents, plan().variants[1])
    error = rows(documents)["base-zfs"].error
    assert "there is no " in error
    assert "check/base-zfs.json" in error
    assert "`immutable-base check` makes it" in error


def test_a_recorded_failure_has_its_words_and_its_code(documents):
    fail(documents, "check:base-zfs", "base-zfs", error=CheckError("two kernels", details="6.12"))
    row = rows(documents)["base-zfs"]
    assert (row.outcome, row.exit_code) == ("failed", 10)
    assert row.error == "two kernels\n  | 6.12"


def test_a_shared_step_that_failed_fails_every_variant_that_needs_it(documents):
    fail(documents, "module:x", "base-zfs", "base-zfs-again", error=CheckError("does not compile"))
    found = rows(documents)
    assert found["base-zfs"].error == found["base-zfs-again"].error == "does not compile"
    assert found["base"].outcome == "published"


def test_of_several_failures_the_first_stage_has_the_reason_and_the_others_only_followed(documents):
    """Seen: a layer that could not be built was told of as a document that `boot` missed."""
    for step in ("boot", "check", "sbom"):
        fail(
            documents, f"{step}:base-zfs", "base-zfs", error=ConfigurationError("there is no build")
        )
    fail(documents, "inspect:base-zfs", "base-zfs", error=CheckError("rpm says nothing"))
    assert rows(documents)["base-zfs"].error == "rpm says nothing"
    fail(documents, "layer:el:tiny:x", "base-zfs", error=CheckError("no such package"))
    assert rows(documents)["base-zfs"].error == "no such package"


def test_a_failure_of_another_plan_is_no_news(documents):
    fail(documents, "check:base", "base", error=CheckError("two kernels"))
    path = documents.folder / "failed/check_base.json"
    failure = json.loads(path.read_text())
    path.write_text(json.dumps({**failure, "rests_on": {"plan.json": "0" * 64}}))
    assert rows(documents)["base"].outcome == "published"


def test_a_publication_whose_documents_were_changed_is_none(documents):
    path = documents.folder / "check/base.json"
    path.write_text(path.read_text() + " ")
    row = rows(documents)["base"]
    assert (row.outcome, row.exit_code, row.reference) == ("failed", 12, None)
    assert "rests on another check/base.json" in row.error


def test_a_failure_that_is_not_whole_is_an_error_and_not_overlooked(documents):
    (documents.folder / "failed").mkdir()
    (documents.folder / "failed/check_base.json").write_text("{")
    with pytest.raises(ConfigurationError, match=r"check_base\.json is not a whole"):
        report_of(documents)


def test_an_error_of_ours_is_reported_as_a_bug_with_its_type(documents):
    fail(documents, "check:base-zfs", "base-zfs", error=KeyError("x"))
    row = rows(documents)["base-zfs"]
    assert (row.error, row.exit_code) == ("KeyError: 'x'", 1)


def succeed(documents, node, *variants):
    nodes = [Node(id=node, title=node, action=lambda _: None, variants=variants)]
    record_failures(documents, nodes, {node: NodeOutcome(id=node, state="done")})


def test_a_publication_that_was_made_outranks_earlier_failures_of_what_it_does(documents):
    for stage in ("sign", "attest", "publish"):
        fail(documents, f"{stage}:base", "base", error=CheckError(f"{stage} failed"))
    assert rows(documents)["base"].outcome == "failed"
    succeed(documents, "publish:base", "base")
    assert rows(documents)["base"].outcome == "published"


def test_a_signature_that_was_made_says_nothing_of_a_publication_that_failed(documents):
    fail(documents, "publish:base", "base", error=CheckError("a tag was moved by another run"))
    succeed(documents, "sign:base", "base")
    assert "a tag was moved" in rows(documents)["base"].error


def test_a_run_began_when_its_plan_was_written(documents):
    os.utime(documents.folder / "plan.json", (86400, 86400))
    assert report_of(documents).started == "1970-01-02T00:00:00+00:00"
