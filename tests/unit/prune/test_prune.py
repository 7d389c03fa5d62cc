"""What may go from a registry: `registry prune` as a user runs it, against one that answers over TLS."""

import pytest

from support.forge import Instance

# ------------------------------------------------------------------ the plan


def test_a_plan_is_the_default_and_deletes_nothing(nights):
    before = (dict(nights.base.tags), dict(nights.base.manifests))
    done = nights.prune()
    assert done.code == 0
    assert (nights.base.tags, nights.base.manifests) == before
    assert nights.registry.written() == []
    assert "6 manifests may go" in done.out
    assert nights.prune("--plan").out == done.out


def test_old_nights_may_go_with_what_stands_beside_them(nights):
    rows = nights.items()
    going = {digest for digest, row in rows.items() if row["action"] == "delete"}
    assert {digest for digest in going if rows[digest]["kind"] == "image"} == nights.old
    assert len(going) == 6


def test_every_image_that_stays_has_its_reason_in_words(nights):
    out = nights.prune().out
    for words in (
        "the tag latest names it", "one of the last 3 nights", "within the rollback window",
        "it was the newest when the rollback window began", "attestations: 5, signatures: 5",
    ):  # fmt: skip
        assert words in out


def test_the_same_registry_gives_the_same_plan(nights):
    assert nights.plan() == nights.plan()


def test_an_image_is_never_as_old_as_it_says_itself(nights):
    """Every image here says that it was made in 1970."""
    assert nights.fate(nights.nights[0]) == "keep"
    assert b"1970" in b"".join(nights.base.blobs.values())


def test_an_image_that_lost_its_tag_is_as_old_as_its_signature(nights):
    recent, ancient = (
        nights.publish(days, words="first", dated=False) for days in (4, 60)
    )  # fmt: skip
    rows = nights.items()
    assert (rows[recent]["action"], rows[ancient]["action"]) == ("keep", "delete")


def test_a_signature_by_others_proves_no_age(nights):
    lost = nights.base.image("lost")
    nights.sign(lost, 60, instance=Instance())
    row = nights.items()[lost]
    assert row["action"] == "keep"
    assert "cannot be proven" in row["reasons"][0]


def test_whoever_may_only_push_makes_nothing_go(nights):
    """Break the signature of what hosts run, move its day away, and give it one of long ago."""
    victim, day = nights.nights[5], nights.tag(5)
    nights.base.image("junk", day, f"{victim.replace(':', '-')}.sig")
    nights.base.tags[nights.tag(300)] = victim
    rows = nights.items()
    assert rows[victim]["action"] == "keep"
    assert "cannot be proven" in rows[victim]["reasons"][0]
    recent = nights.items()[nights.nights[2]]["reasons"]
    assert not any("proven" in words for words in recent)


def test_a_variant_that_was_never_published_is_told_and_nothing_else(nights):
    assert "base-zfs: the registry has no such repository" in nights.prune().out


def test_a_registry_without_any_of_the_repositories_is_an_error(shelf):
    shelf.registry.repositories.clear()
    done = shelf.prune()
    assert done.code == 16
    assert "registry.destination" in done.err


# ------------------------------------------------------------------ candidates


@pytest.fixture
def candidates(nights):
    """Three nights have left images for other machines: one of them long ago."""
    found = nights.registry.repository("os/candidates")
    for days in (0, 1, 40):
        named = found.image(f"candidate of {days}")
        found.tags[f"{nights.tag(days)}-{named[7:19]}"] = named
    return found


def test_candidates_of_old_nights_go_with_the_rest(nights, candidates):
    listed = nights.prune(nights=2)
    assert "os/candidates:" in listed.out
    assert listed.out.count("a candidate, older than the last 2 nights") == 1
    assert nights.prune("--yes", nights=2).code == 0
    assert {tag[:8] for tag in candidates.tags} == {nights.tag(0), nights.tag(1)}


def test_a_plan_with_candidates_is_carried_out_from_its_file(nights, candidates, tmp_path):
    plan = tmp_path / "plan.json"
    assert nights.prune("--format", "json", "--output", plan, nights=2).code == 0
    assert nights.prune("--yes", "--from", plan).code == 0
    assert len(candidates.tags) == 2


def test_candidates_are_of_no_variant_and_stay_where_one_is_named(nights, candidates):
    assert "os/candidates" not in nights.prune("--variant", "base").out


def test_where_variants_are_published_is_no_repository_of_candidates(nights, candidates):
    """A slip in registry.candidates must not let published images go by another rule."""
    nights.settings["candidates"] = nights.name
    assert nights.fate(nights.nights[20]) == "keep"
