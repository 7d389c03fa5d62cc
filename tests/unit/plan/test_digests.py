"""A base image's tag is read once in a run; everything after that goes by digest."""

import hashlib

import pytest

from immutable_base.plan import make
from support.pools import recorded

DIGEST = "sha256:" + hashlib.sha256(b'{"layers": []}').hexdigest()


@pytest.fixture
def commands(world):
    return recorded(world)


def test_each_tag_is_read_once_and_images_are_pulled_by_digest(world, commands):
    world.raw["fc"] = b'{"layers": [2]}'
    other = "sha256:" + hashlib.sha256(world.raw["fc"]).hexdigest()
    plan = world.plan()
    assert {variant.base.pinned for variant in plan.variants} == {
        f"registry.invalid/el@{DIGEST}",
        f"registry.invalid/fc@{other}",
    }
    named = [word for argv in commands for word in argv if "registry.invalid/" in word]
    by_tag = sorted(word for word in named if "@" not in word)
    assert by_tag == [
        "docker://registry.invalid/el:10",
        "docker://registry.invalid/fc:43",
        # What was published last, of the variants with modules: only its labels are read.
        "docker://registry.invalid/x/base-zfs-nvidia:latest",
        "docker://registry.invalid/x/base-zfs:latest",
    ]
    pulled = [argv[-1] for argv in commands if "pull" in argv]
    assert sorted(pulled) == sorted(
        f"docker://{pinned}" for pinned in {v.base.pinned for v in plan.variants}
    )


def test_streams_that_share_a_base_image_share_what_its_tag_named(world, commands):
    """Two questions might get two answers, if the tag moves in between."""
    world.document["streams"]["fc"]["base"] = "registry.invalid/el:10"
    plan = world.plan()
    assert len({variant.base.digest for variant in plan.variants}) == 1
    asked = [a for a in commands if a[-1] == "docker://registry.invalid/el:10"]
    assert len(asked) == 1
    assert len([argv for argv in commands if "pull" in argv]) == 1


def test_what_is_inside_an_image_is_read_once_for_its_digest(world, commands):
    world.plan("base")
    first = len([argv for argv in commands if "pull" in argv])
    with world.context().open_plan_inputs() as inputs:
        make.make_plan(inputs, ("base",))
    assert (first, len([argv for argv in commands if "pull" in argv])) == (1, 1)


def test_an_image_that_a_tag_now_names_is_read_anew(world, commands):
    world.plan("base")
    world.raw["el"] = b'{"layers": [1]}'
    with world.context().open_plan_inputs() as inputs:
        (variant,) = make.make_plan(inputs, ("base",)).variants
    pulled = [argv[-1] for argv in commands if "pull" in argv]
    assert pulled == [f"docker://registry.invalid/el@{DIGEST}", f"docker://{variant.base.pinned}"]
    assert variant.base.digest != DIGEST
