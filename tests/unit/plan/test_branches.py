"""One repository with several branches of a driver, as NVIDIA's is; copies in others' repositories."""

import dataclasses

import pytest

from immutable_base.model.plan import Verdict
from support.plan_world import digest_rpms, nvidia_rpms
from support.rpmmd import Rpm

BRANCHES = ("580.82.07", "580.95.05", "590.48.01", "595.71.05")
OWN = "580.95.05"


def driver(version):
    """Return a driver as NVIDIA packages it: one part is required without a version."""
    evr = f"3:{version}-1.el10"
    common, parts = nvidia_rpms(version), []
    for rpm in common:
        more = ("nvidia-modprobe",) if rpm.name == "nvidia-kmod-common" else ()
        if rpm.name == "kmod-nvidia-open-dkms":
            more = ("nvidia-settings",)
        parts.append(dataclasses.replace(rpm, requires=(*rpm.requires, *more)))
    return [*parts, Rpm("nvidia-modprobe", evr), Rpm("nvidia-settings", evr)]


@pytest.fixture
def branches(world):
    """A repository with three branches, and the container toolkit in two repositories."""
    world.document["modules"]["nvidia"]["branch"] = "580"
    world.document["layers"]["nvidia"]["packages"] = ["nvidia-driver-cuda", "toolkit"]
    world.document["layers"]["nvidia"]["repositories"] = ["toolkit"]
    world.document["repositories"]["toolkit"] = {
        "url": "http://mirror.invalid/toolkit/", "key": "k", "metadata_key": "k",
    }  # fmt: skip
    world.document["variants"]["gpu"] = {
        "stream": "el", "layers": ["nvidia"], "description": "d",
    }  # fmt: skip
    world.repositories["cuda"] = [rpm for version in BRANCHES for rpm in driver(version)]
    world.repositories["toolkit"] = [
        Rpm("toolkit", "1.20-1", requires=("libtoolkit",)),
        Rpm("libtoolkit", "1.20-1"),
    ]
    digest_rpms(world)
    return world


def layer(world):
    variant = world.variant("gpu")
    assert variant.verdict is Verdict.BUILD, variant.reasons
    return {p.name: p for p in variant.layers[-1].install}


# ------------------------------------------------------------------ what must not pass


def test_what_is_required_without_a_version_is_of_the_modules_own(branches):
    """Not of 595 beside a driver of 580."""
    found = layer(branches)
    assert {name: p.version for name, p in found.items() if name.startswith("nvidia")} == {
        "nvidia-driver-cuda": OWN, "nvidia-kmod-common": OWN, "nvidia-modprobe": OWN,
    }  # fmt: skip


def test_so_it_is_in_the_builder(branches):
    (module,) = branches.variant("gpu").modules
    versions = {p.name: p.version for p in module.builder if "nvidia" in p.name}
    assert versions == {"kmod-nvidia-open-dkms": OWN, "nvidia-settings": OWN}


def test_a_newer_copy_in_the_modules_repository_does_not_win(branches):
    """NVIDIA signs the toolkit's packages there with another key than the repository's."""
    branches.repositories["cuda"] += [Rpm("toolkit", "1.21-1"), Rpm("libtoolkit", "1.21-1")]
    found = layer(branches)
    assert {(found[n].repository, found[n].version) for n in ("toolkit", "libtoolkit")} == {
        ("toolkit", "1.20")
    }


def test_a_newer_copy_in_the_streams_repositories_does_not_win_either(branches):
    branches.repositories["baseos"] += [Rpm("toolkit", "1.22-1")]
    assert layer(branches)["toolkit"].repository == "toolkit"


def test_a_layers_repository_has_no_other_version_of_the_driver(branches):
    branches.repositories["toolkit"] += [
        Rpm("nvidia-modprobe", "3:610.1-1"),
        Rpm("nvidia-driver-cuda", "3:610.1-1"),
    ]
    assert layer(branches)["nvidia-modprobe"].nevra == f"nvidia-modprobe-3:{OWN}-1.el10.x86_64"


# ------------------------------------------------------------------ what must come out


def test_what_does_not_exist_at_the_modules_version_is_taken_as_it_is(branches):
    branches.repositories["cuda"] = [
        rpm for rpm in branches.repositories["cuda"]
        if not (rpm.name == "nvidia-modprobe" and OWN in rpm.evr)
    ]  # fmt: skip
    assert layer(branches)["nvidia-modprobe"].version == "595.71.05"


def test_an_epoch_does_not_make_it_another_version(branches):
    branches.repositories["cuda"] = [
        dataclasses.replace(rpm, evr=rpm.evr.removeprefix("3:")) if rpm.name == "nvidia-modprobe" else rpm
        for rpm in branches.repositories["cuda"]
    ]  # fmt: skip
    assert layer(branches)["nvidia-modprobe"].version == OWN


def test_of_one_version_the_newest_build_is_taken(branches):
    branches.repositories["cuda"] += [Rpm("nvidia-modprobe", f"3:{OWN}-2.el10")]
    assert layer(branches)["nvidia-modprobe"].release == "2.el10"


def test_the_streams_own_packages_are_no_part_of_the_driver(branches):
    """One of them may have the same version by chance."""
    branches.repositories["baseos"] += [
        Rpm("lib", OWN + "-1"),
        Rpm("lib", "600-1"),
        Rpm("toolkit-x"),
    ]
    branches.document["layers"]["nvidia"]["packages"] += ["lib"]
    branches.document["modules"]["nvidia"]["repositories"] = ["baseos", "cuda"]
    assert layer(branches)["lib"].version == "600"


def test_what_follows_and_was_not_asked_for_comes_from_the_stream(branches):
    """A vendor's repository replaces no library of the distribution."""
    branches.repositories["toolkit"] = [
        Rpm("toolkit", "1.20-1", requires=("lib",)),
        Rpm("lib", "1-1"),
    ]
    branches.repositories["baseos"] += [Rpm("lib", "2-1")]
    assert layer(branches)["lib"].repository == "baseos"
