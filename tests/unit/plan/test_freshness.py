"""How old the metadata of a repository may be."""

import pytest

from immutable_base.model.plan import Verdict
from support.plan_world import NOW

DAY = 86400
BASE_CREATED = 1_795_132_800


def planned(world, timestamp, limit=7, name="base-zfs", repository="openzfs"):
    if limit:
        world.document["repositories"][repository]["maximum_age_days"] = limit
    world.timestamps[repository] = timestamp
    world.now = NOW + 30 * DAY
    return world.plan()


def verdicts(plan):
    return {variant.name: variant.verdict for variant in plan.variants}


# ------------------------------------------------------------------ what must not pass


def test_metadata_that_is_older_than_its_limit_fails_who_needs_it_as_a_matter_of_trust(world):
    """A server that is asleep cannot be told from one that is kept at an old state."""
    plan = planned(world, NOW + 22 * DAY)
    assert verdicts(plan) == {
        "base": Verdict.BUILD, "base-zfs": Verdict.FAIL, "base-zfs-nvidia": Verdict.FAIL,
        "fedora-base": Verdict.BUILD,
    }  # fmt: skip
    failed = plan.variants[1]
    assert failed.exit_code == 12
    assert "repository 'openzfs': its metadata is of 2026-12-10" in failed.reasons[0]
    assert "repositories.openzfs.maximum_age_days" in failed.reasons[-1]


def test_metadata_that_does_not_say_when_it_was_made_may_be_of_any_age(world):
    failed = planned(world, None).variants[1]
    assert (failed.verdict, failed.exit_code) == (Verdict.FAIL, 12)
    assert "does not say when it was made" in failed.reasons[0]


def test_an_optional_repository_that_is_too_old_is_not_skipped_in_silence(world):
    world.document["repositories"]["openzfs"]["optional"] = True
    assert planned(world, NOW).variants[1].exit_code == 12


def test_a_clock_that_is_behind_the_base_image_makes_nothing_younger(world):
    world.document["repositories"]["openzfs"]["maximum_age_days"] = 7
    world.timestamps["openzfs"] = BASE_CREATED - 8 * DAY
    world.now = 0
    assert world.variant("base-zfs").exit_code == 12


# ------------------------------------------------------------------ what must come out


@pytest.mark.parametrize("age", [0, 7, -400])
def test_what_is_young_enough_is_used(world, age):
    plan = planned(world, NOW + (30 - age) * DAY)
    assert set(verdicts(plan).values()) == {Verdict.BUILD}


def test_without_a_limit_any_age_is_good_and_is_recorded(world):
    plan = planned(world, 1, limit=None)
    assert set(verdicts(plan).values()) == {Verdict.BUILD}
    assert {item.id: item.timestamp for item in plan.repositories} == {
        "baseos": NOW, "openzfs": 1, "cuda": NOW, "fedora": NOW,
    }  # fmt: skip
