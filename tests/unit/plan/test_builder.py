"""What the builder of a module installs."""

import dataclasses

import pytest

from immutable_base.model.plan import KernelAction, Verdict
from support.plan_world import kernel_rpms
from support.rpmmd import Rpm


def test_the_builder_has_the_exact_kernel_devel_and_the_planned_kernel_instead_of_the_bases(world):
    module = world.variant("base-zfs").modules[0]
    names = {p.name: p.evr for p in module.builder}
    assert names["kernel-devel"] == names["kernel-core"] == "6.12.117-1"
    assert module.builder_erase == (
        "kernel",
        "kernel-core",
        "kernel-modules",
        "kernel-modules-core",
    )
    assert {"dkms", "gcc", "make", "perl", "rpm-build", "zfs-dkms"} <= names.keys()
    assert module.kmod.repository == "local"
    assert module.maximum == "7.2"


def test_the_builder_has_no_second_kernel_where_the_base_keeps_its_own(world):
    world.repositories["baseos"] += kernel_rpms("6.12.105")
    variant = world.variant("base-zfs")
    assert variant.kernel.action is KernelAction.KEEP
    names = {p.name for p in variant.modules[0].builder}
    assert "kernel-devel" in names
    assert not names & {"kernel", "kernel-core", "kernel-modules"}
    assert variant.modules[0].builder_erase == ()


def test_a_base_kernel_that_the_dkms_package_refuses_moves_down(world):
    """As zfs-dkms is since 2026: it requires a kernel in its range, and conflicts with others."""
    world.base = [Rpm("bash", "5-1"), *kernel_rpms("7.4.1", without=("kernel-devel",))]
    world.kernels = ("7.4.1-1.x86_64",)
    world.repositories["baseos"] += kernel_rpms("7.4.1")
    world.repositories["openzfs"] = [
        dataclasses.replace(
            rpm,
            requires=(*rpm.requires, "kernel-uname-r <= 7.2.999"),
            conflicts=("kernel-uname-r > 7.2.999", "kernel-devel > 7.2.999"),
        )
        if rpm.name == "zfs-dkms"
        else rpm
        for rpm in world.repositories["openzfs"]
    ]
    variant = world.variant("base-zfs")
    assert variant.verdict is Verdict.BUILD, variant.reasons
    assert (variant.kernel.action, variant.kernel.chosen) == (
        KernelAction.DOWN,
        "6.12.117-1.x86_64",
    )
    assert {p.evr for p in variant.modules[0].builder if "kernel" in p.name} >= {"6.12.117-1"}


@pytest.mark.parametrize("kept", [True, False])
def test_a_dkms_that_wants_the_headers_of_every_kernel_gets_those_of_the_builders_alone(
    world, kept
):
    """As EPEL's: `(kernel-devel-matched if kernel-core)`, which requires one kernel exactly."""
    world.repositories["baseos"] += kernel_rpms("6.12.105") if kept else []
    versions = {rpm.evr for rpm in world.repositories["baseos"] if rpm.name == "kernel-devel"}
    world.repositories["baseos"] += [
        Rpm("kernel-devel-matched", evr, requires=(f"kernel-core = {evr}", f"kernel-devel = {evr}"))
        for evr in versions
    ]
    wanted = "(kernel-devel-matched if kernel-core)"
    for repository in world.repositories.values():
        for number, rpm in enumerate(repository):
            if rpm.name == "dkms":
                repository[number] = dataclasses.replace(rpm, requires=(*rpm.requires, wanted))
    variant = world.variant("base-zfs")
    assert variant.verdict is Verdict.BUILD, variant.reasons
    names = {p.name: p.evr for p in variant.modules[0].builder}
    chosen = "6.12.105-1" if kept else "6.12.117-1"
    assert names["kernel-devel-matched"] == names["kernel-devel"] == chosen
    assert names.get("kernel-core", chosen) == chosen


def test_a_module_for_one_kernel_is_planned_once(world):
    world.repositories["baseos"] = [
        rpm
        for rpm in world.repositories["baseos"]
        if not (rpm.name == "kernel-devel" and "117" in rpm.evr)
    ]
    plan = world.plan("base-zfs", "base-zfs-nvidia")
    assert plan.variants[0].modules[0] == plan.variants[1].modules[0]


@pytest.mark.parametrize("other", ["6.12.94-1", "6.12.117-1"])
def test_a_dependency_may_not_bring_another_kernel_into_the_builder(world, other):
    """A DKMS package would compile for it, too, or for it instead."""
    world.repositories["baseos"] += [
        *kernel_rpms("6.12.105"),
        Rpm("rpm-build", "5-1", requires=(f"kernel-core = {other}",)),
    ]
    variant = world.variant("base-zfs")
    assert variant.verdict is Verdict.FAIL
    assert "the builder of zfs" in variant.reasons[0]


def test_a_module_may_be_compiled_with_packages_of_its_own_repositories(world):
    world.repositories["openzfs"] = [
        Rpm("zfs-tools", "1-1"),
        *(
            dataclasses.replace(rpm, requires=(*rpm.requires, "zfs-tools"))
            if rpm.name == "zfs-dkms"
            else rpm
            for rpm in world.repositories["openzfs"]
        ),
    ]
    (module,) = world.variant("base-zfs").modules
    assert "zfs-tools" in {package.name for package in module.builder}
