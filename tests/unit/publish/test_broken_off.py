"""A publication broken off at every point, and what the next run makes of it."""

import pytest

from immutable_base.errors import ImmutableBaseError
from immutable_base.model.publish import PublicationStatus
from support.publish_fixtures import TAGS
from support.publish_world import DIGEST, OLD, WRITES, Killed, World

WHOLE = ["push", "sign", "attest", "attest", "refer"]
"""What a publication does before it moves a tag."""


def commands_of_a_publication(settings, publish):
    world = World(settings)
    world.yesterday("latest")
    publish(to=world)
    return [world.step(command.argv) for command in world.commands]


def broken_off(settings, publish, number, *, interrupt, after_effect):
    world = World(settings)
    world.yesterday("latest")
    world.stop_at, world.interrupt, world.after_effect = number, interrupt, after_effect
    with pytest.raises(ImmutableBaseError if interrupt else Killed):
        publish(to=world)
    return world


@pytest.mark.parametrize("after_effect", [True, False])
@pytest.mark.parametrize("interrupt", [True, False], ids=["interrupted", "killed"])
def test_wherever_it_is_broken_off_no_tag_names_what_is_not_signed_and_the_next_run_publishes(
    settings, token, publish, interrupt, after_effect
):
    steps = commands_of_a_publication(settings, publish)
    assert [step for step in steps if step in WRITES] == [*WHOLE, *["tag"] * 3]
    for number, step in enumerate(steps):
        world = broken_off(
            settings, publish, number, interrupt=interrupt, after_effect=after_effect
        )
        where = f"broken off at command {number}, {step}"
        assert set(world.tags.values()) <= {OLD, DIGEST}, where
        if step != "tag" and "tag" not in steps[:number]:
            assert world.tags == {"latest": OLD}, where
        world.restart()
        publication = publish(to=world)
        assert publication.digest == DIGEST, where
        assert world.tags == dict.fromkeys(TAGS, DIGEST), where
        assert len(world.sboms()) == len(world.provenances()) == 1, where
        assert world.violations == [], where
        assert world.looks >= len(steps)


def test_an_interrupt_between_tags_leaves_those_that_hosts_follow_where_they_were(
    settings, token, publish
):
    steps = commands_of_a_publication(settings, publish)
    last = max(number for number, step in enumerate(steps) if step == "tag")
    for number in [number for number, step in enumerate(steps) if step == "tag"]:
        world = broken_off(settings, publish, number, interrupt=True, after_effect=True)
        assert world.tags["latest"] == OLD, f"tag {number} of {last}"


def test_a_run_killed_after_its_last_tag_is_unchanged_the_next_time(settings, token, publish):
    steps = commands_of_a_publication(settings, publish)
    last = max(number for number, step in enumerate(steps) if step == "tag")
    world = broken_off(settings, publish, last, interrupt=False, after_effect=True)
    world.restart()
    assert publish(to=world).status is PublicationStatus.UNCHANGED
    assert world.writes() == []


def test_what_was_done_before_the_kill_is_not_done_again(settings, token, publish):
    steps = commands_of_a_publication(settings, publish)
    tags = ["tag", "tag", "tag"]
    # The list of referrers is written after it, which is no program.
    for step in ("refer", "attest", "sign", "push"):
        world = broken_off(settings, publish, steps.index(step), interrupt=False, after_effect=True)
        world.restart()
        publish(to=world)
        assert world.writes() == [*WHOLE, *tags], step


def test_the_witness_of_these_tests_objects(settings, token, publish):
    """A tag set before the signature is seen, or the tests above could not fail."""
    world = World(settings)
    real = world.push

    def push(argv):
        world.tags["latest"] = DIGEST
        return real(argv)

    world.push = push
    publish(to=world)
    assert world.violations[0] == f"latest -> {DIGEST} after push"
