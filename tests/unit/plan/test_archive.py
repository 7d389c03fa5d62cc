"""A release that has left the mirrors is read from its archive."""

import pytest

from immutable_base.model.plan import Verdict
from support.plan_world import edit_metadata
from support.rpmmd import Rpm

OLD = {"/fedora/repodata/repomd.xml": 404}


@pytest.fixture
def archived(world):
    """What is archived is older, so that it can be told apart."""
    world.document["repositories"]["fedora"]["archive"] = "http://archive.invalid/old/{release}"
    world.repositories["old/43"] = [Rpm("jq", "1.6-1"), Rpm("tree", "2-1")]
    return world


# ------------------------------------------------------------------ what must not pass


@pytest.mark.parametrize("answer", [503, 403])
def test_a_server_that_only_fails_is_no_reason_for_old_packages(archived, answer):
    archived.answers = {"/fedora/repodata/repomd.xml": answer}
    assert archived.variant("fedora-base").exit_code == 6
    assert not any(path.startswith("/old/") for path in archived.requests)


def test_an_archive_is_verified_as_the_repository_is(archived):
    archived.answers = OLD
    archived.write()
    repomd = (archived.folder / "www/old/43/repodata/repomd.xml").read_bytes()
    changed = repomd.replace(b"<revision>1700000000", b"<revision>1700000001")
    archived.tampered = {"/old/43/repodata/repomd.xml": changed}
    found = archived.variant("fedora-base", write=False)
    assert (found.verdict, found.exit_code) == (Verdict.FAIL, 12)
    assert "repomd.xml is not signed by the pinned key" in found.reasons[0]


def test_a_part_that_is_missing_is_no_reason_for_old_packages(archived):
    archived.write()
    (primary,) = (archived.folder / "www/fedora/repodata").glob("*-primary*")
    archived.answers = {f"/fedora/repodata/{primary.name}": 404}
    assert archived.variant("fedora-base", write=False).exit_code == 6


def test_what_is_in_neither_place_fails(archived):
    archived.answers = {**OLD, "/old/43/repodata/repomd.xml": 404}
    found = archived.variant("fedora-base")
    assert (found.verdict, found.exit_code) == (Verdict.FAIL, 6)


# ------------------------------------------------------------------ what must come out


@pytest.mark.parametrize("answer", [404, 410])
def test_what_has_left_the_mirrors_is_read_from_its_archive_and_said(archived, answer):
    archived.answers = dict.fromkeys(OLD, answer)
    plan = archived.plan("fedora-base")
    [found] = plan.variants
    assert found.verdict is Verdict.BUILD, found.reasons
    assert {p.url for p in found.layers[0].install} == {
        "http://archive.invalid/old/43/Packages/jq-1.6-1.x86_64.rpm",
        "http://archive.invalid/old/43/Packages/tree-2-1.x86_64.rpm",
    }
    [warning] = found.warnings
    assert warning == (
        "repository 'fedora' has left http://mirror.invalid/fedora/: "
        "http://archive.invalid/old/43/ is used, which gets no updates any more"
    )
    [repository] = plan.repositories
    assert (repository.archived, repository.url) == (True, "http://archive.invalid/old/43/")


def test_an_archive_that_cannot_be_parsed_fails_the_variant_and_ends(archived):
    archived.answers = OLD
    archived.write()
    edit_metadata(archived, "old/43", (b"<metadata", b"junk"))
    assert archived.variant("fedora-base", write=False).verdict is Verdict.FAIL


def test_what_is_on_the_mirrors_is_read_there(archived):
    plan = archived.plan("fedora-base")
    assert {p.evr for p in plan.variants[0].layers[0].install} == {"1.7-1", "2-1"}
    assert (plan.repositories[0].archived, plan.variants[0].warnings) == (False, ())
