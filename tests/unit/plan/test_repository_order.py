"""Of equal versions in several repositories the first repository of the configuration wins."""

import pytest

from support.plan_world import digest_rpms, nvidia_rpms, zfs_rpms
from support.rpmmd import Rpm


def reorder(world, *first):
    """Let these repositories come first in the configuration."""
    tables = world.document["repositories"]
    names = (*first, *(name for name in tables if name not in first))
    world.document["repositories"] = {name: tables[name] for name in names}


def origin(variant, name):
    """Return the repositories that a package of the plan comes from."""
    return {p.repository for layer in variant.layers for p in layer.install if p.name == name}


@pytest.mark.parametrize("order", [("baseos", "fedora"), ("fedora", "baseos")])
def test_what_is_requested_and_what_follows_comes_from_the_first(world, order):
    world.document["streams"]["el"]["repositories"] = ["baseos", "fedora"]
    for name in order:
        world.repositories[name] = [
            *(rpm for rpm in world.repositories[name] if rpm.name not in {"jq", "lib"}),
            Rpm("jq", "1.7-1", requires=("lib",)),
            Rpm("lib", "1-1"),
        ]
    reorder(world, *order)
    variant = world.variant("base")
    assert origin(variant, "jq") == origin(variant, "lib") == {order[0]}


@pytest.mark.parametrize("order", [("baseos", "fedora"), ("fedora", "baseos")])
def test_a_newer_version_wins_in_whatever_repository_it_is(world, order):
    world.document["streams"]["el"]["repositories"] = ["baseos", "fedora"]
    world.repositories["fedora"] += [Rpm("jq", "1.8-1")]
    reorder(world, *order)
    assert origin(world.variant("base"), "jq") == {"fedora"}


@pytest.mark.parametrize("order", [("openzfs", "cuda"), ("cuda", "openzfs")])
def test_the_source_and_the_userspace_of_a_module_come_from_the_first(world, order):
    world.document["modules"]["zfs"]["repositories"] = ["openzfs", "cuda"]  # no order
    world.repositories["cuda"] += zfs_rpms("2.3.10~rc1")
    digest_rpms(world)
    reorder(world, *order)
    variant = world.variant("base-zfs")
    assert variant.modules[0].source.repository == order[0]
    assert origin(variant, "zfs") == origin(variant, "libzfs6") == {order[0]}


def test_which_other_variants_are_planned_changes_no_variant(world):
    """The variant before needs only the later repository; that must not put it first."""
    world.document["variants"] = {
        "base-extra": {"stream": "el", "layers": ["base", "extra"], "description": "d"},
        "base-zfs-nvidia": {"stream": "el", "layers": ["base", "zfs", "nvidia"], "description": "d"},
    }  # fmt: skip
    world.document["modules"]["nvidia"]["repositories"] = ["openzfs", "cuda"]
    world.document["layers"]["extra"] = {"packages": ["jq"], "repositories": ["cuda"]}
    world.repositories["openzfs"] += nvidia_rpms("550.163.01")
    digest_rpms(world)
    alone = world.variant("base-zfs-nvidia")
    both = world.plan().variants[1]
    assert both.modules[1].source.repository == "openzfs"
    assert both == alone
