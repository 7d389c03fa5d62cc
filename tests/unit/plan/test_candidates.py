"""Which kernels the repositories offer, and which packages belong to the base image's."""

from types import SimpleNamespace

import pytest

from immutable_base.config.schema import KernelSettings
from immutable_base.errors import ImmutableBaseError
from immutable_base.model.plan import KernelAction
from immutable_base.plan import candidates
from support.plan_world import kernel_rpms
from support.pools import installed, pool_of
from support.rpmmd import Rpm

POLICY = KernelSettings(
    packages=("kernel", "kernel-core"),
    optional_packages=("kernel-modules-extra",),
    devel_package="kernel-devel",
)
K = "6.12.105-1"
UNAME = f"{K}.x86_64"


def devel(uname: str, evr: str = K) -> Rpm:
    return Rpm("kernel-devel", evr, provides=(f"kernel-devel-uname-r = {uname}",))


def core(evr: str = K, uname: str = UNAME) -> Rpm:
    return Rpm("kernel-core", evr, provides=(f"kernel-uname-r = {uname}",))


def offered(folder, *rpms, swapped=()):
    pool = pool_of(folder, {"baseos": list(rpms), "unused": [Rpm("kernel", "9-1")]})
    found = candidates.find_candidates(pool, ("baseos",), POLICY, swapped)
    return {item.evr: item for item in found}


@pytest.mark.parametrize("other", [f"{UNAME}+debug", f"{UNAME}+rt", f"{UNAME}+64k", "6.12.105-1"])
def test_kernel_devel_of_another_uname_r_does_not_complete_a_set_of_its_version(tmp_path, other):
    (found,) = offered(tmp_path, Rpm("kernel", K), core(), devel(other)).values()
    assert (found.release, found.packages) == (UNAME, {"kernel", "kernel-core"})


def test_one_kernel_devel_of_several_of_a_version_completes_the_set(tmp_path):
    (found,) = offered(
        tmp_path, Rpm("kernel", K), core(), devel(f"{UNAME}+rt"), devel(UNAME)
    ).values()
    assert found.packages == {"kernel", "kernel-core", "kernel-devel"}


def test_kernel_devel_alone_is_an_offer_for_the_kernel_that_it_names(tmp_path):
    """The kernel's own packages leave a repository before its kernel-devel does."""
    found = offered(tmp_path, devel(UNAME), Rpm("kernel", "6.12.117-1"))
    assert (found[K].release, found[K].packages) == (UNAME, {"kernel-devel"})
    assert found["6.12.117-1"].release is None


def test_kernel_devel_alone_keeps_the_images_kernel(world):
    gone = {rpm.name for rpm in kernel_rpms("6.12.105")} - {"kernel-devel"}
    rest = [r for r in world.repositories["baseos"] if r.name not in gone or r.evr != "6.12.105-1"]
    world.repositories["baseos"] = [*rest, *kernel_rpms("6.12.105", without=tuple(gone))]
    kernel = world.variant("base-zfs").kernel
    assert (kernel.action, kernel.chosen) == (KernelAction.KEEP, "6.12.105-1.x86_64")


def test_only_the_streams_own_repositories_offer_kernels(tmp_path):
    assert offered(tmp_path, core()).keys() == {K}


def test_what_a_swap_needs_counts_at_its_own_version(tmp_path):
    extra = Rpm("kernel-modules-extra", "6.12.117-1")
    found = offered(tmp_path, Rpm("kernel", K), extra, swapped=("kernel-modules-extra",))
    assert {evr: item.packages for evr, item in found.items()} == {
        K: {"kernel"},
        "6.12.117-1": {"kernel-modules-extra"},
    }


# ------------------------------------------------------------------ the base image's own


def base(*rpms: Rpm):
    return SimpleNamespace(
        packages=installed(*rpms), kernel=SimpleNamespace(release=UNAME, package="kernel-core", evr=K)
    )  # fmt: skip


def test_a_swap_erases_whatever_is_bound_to_the_old_kernel():
    found = candidates.installed_set(
        base(
            Rpm("kernel", K), core(), Rpm("bash"),
            Rpm("kernel-uki-virt", K, provides=(f"kernel-uname-r = {UNAME}",)),
            Rpm("kernel-modules-internal", K, requires=(f"kernel-uname-r = {UNAME}",)),
            Rpm("kmod-old", requires=("kernel-uname-r = 6.12.94-1.x86_64",)),
        ),
        POLICY,
    )  # fmt: skip
    assert found.swapped == ("kernel", "kernel-core")
    assert found.erased == {"kernel", "kernel-core", "kernel-uki-virt", "kernel-modules-internal"}


def test_a_swapped_image_has_no_package_of_the_old_kernel_left(world):
    """kernel-uki-virt provides the kernel as well: it would be a second one."""
    world.base += [Rpm("kernel-uki-virt", "6.12.105-1", provides=(f"kernel-uname-r = {UNAME}",))]
    variant = world.variant("base-zfs")
    assert variant.kernel.action is KernelAction.UP
    (swap,) = (layer for layer in variant.layers if layer.name == "kernel")
    assert "kernel-uki-virt" in swap.erase
    assert "kernel-uki-virt" not in {package.name for package in swap.install}


def test_optional_packages_are_required_of_the_new_kernel_only_if_the_image_has_them():
    without = candidates.installed_set(base(Rpm("kernel", K)), POLICY)
    assert candidates.kernel_policy(POLICY, without).required == ("kernel", "kernel-core")
    with_extra = candidates.installed_set(base(Rpm("kernel-modules-extra", K)), POLICY)
    assert candidates.kernel_policy(POLICY, with_extra).required == (
        "kernel",
        "kernel-core",
        "kernel-modules-extra",
    )


# ------------------------------------------------------------------ what a module is compiled against


def test_the_builder_compiles_against_exactly_this_uname_r(tmp_path):
    rpms = [devel(UNAME), devel(f"{UNAME}+debug", "6.12.105-2"), devel(UNAME, "6.12.105-1.1")]
    pool = pool_of(tmp_path, {"baseos": rpms})
    number = candidates.devel_for(pool, ("baseos",), POLICY, UNAME)
    assert pool.solvable(number).evr == "6.12.105-1.1", "the newest of those that fit"
    with pytest.raises(ImmutableBaseError, match=r"no repository has kernel-devel for 6\.12\.94"):
        candidates.devel_for(pool, ("baseos",), POLICY, "6.12.94-1.x86_64")
