"""What a transaction may do to installed packages, and what it may not."""

import dataclasses

import pytest

from immutable_base.solver.transaction import (
    InstalledNewerError,
    Skew,
    TransactionRequest,
    UnsolvableError,
    solve,
)
from support.pools import pool_of
from support.rpmmd import Rpm


def request(pool, *names, exactly=(), erase=()):
    """Ask for names, and for exact packages as `name-evr`."""
    asked = {f"{pool.solvable(n).name}-{pool.solvable(n).evr}": n for n in pool.ids(["any"])}
    return TransactionRequest(
        title="the request", repositories=("any",), names=names,
        install=tuple(asked[exact] for exact in exactly), erase=frozenset(erase),
    )  # fmt: skip


def solved(folder, offered, installed, *names, **more):
    """Return what comes in, what of it was asked for, and what goes, each as `name-evr`."""
    pool = pool_of(folder, {"any": offered}, tuple(installed))
    found = solve(pool, pool.base, request(pool, *names, **more))
    return [
        [f"{pool.solvable(n).name}-{pool.solvable(n).evr}" for n in numbers]
        for numbers in (found.new, found.requested, found.removed)
    ]


# ------------------------------------------------------------------ what must not pass


def test_an_exact_package_is_no_downgrade_in_silence(tmp_path):
    """libsolv would put it in place of the newer one, as it was asked for."""
    with pytest.raises(UnsolvableError, match="would downgrade zfs from 2-1 to 1-1"):
        solved(tmp_path, [Rpm("zfs", "1-1")], [Rpm("zfs", "2-1")], exactly=["zfs-1-1"])


def test_obsoleting_what_is_newer_is_no_way_around_that(tmp_path):
    offered = [Rpm("lib", "1-1"), Rpm("tree", requires=("lib = 1-1",), obsoletes=("lib > 1-1",))]
    with pytest.raises(UnsolvableError, match="would downgrade lib from 2-1 to 1-1"):
        solved(tmp_path, offered, [Rpm("lib", "2-1")], "tree")


@pytest.mark.parametrize("how", ["conflicts", "obsoletes"])
def test_what_an_installed_package_does_not_tolerate_is_refused(tmp_path, how):
    """rpm would refuse it in the middle of the build."""
    with pytest.raises(UnsolvableError) as caught:
        solved(tmp_path, [Rpm("tree")], [Rpm("forest", **{how: ("tree",)})], "tree")
    assert "forest-1-1" in caught.value.details


def refused(folder, offered, installed, *names, **more):
    with pytest.raises(UnsolvableError) as caught:
        solved(folder, offered, installed, *names, **more)
    return caught.value


def compiler(version):
    """Return packages as gcc's are: one requires another of exactly its own version."""
    return [
        Rpm("gcc", "14-1", requires=("glibc-devel",)),
        Rpm("glibc-devel", version, requires=(f"glibc = {version}",)),
        Rpm("glibc", version, requires=(f"glibc-common = {version}",)),
        Rpm("glibc-common", version),
    ]


def test_an_old_version_that_is_required_beside_a_newer_one_is_a_fault_of_the_repository(tmp_path):
    """No mirror that catches up would cure it."""
    offered = [Rpm("lib", "1-1"), Rpm("lib", "2-1"), Rpm("tree", requires=("lib = 1-1",))]
    error = refused(tmp_path, offered, [Rpm("lib", "2-1")], "tree")
    assert not isinstance(error, InstalledNewerError)


def test_what_is_missing_as_well_is_a_fault_that_newer_packages_would_not_cure(tmp_path):
    offered = [*compiler("2.39-23"), Rpm("make", requires=("libmissing.so",))]
    installed = [Rpm("glibc", "2.39-31")]
    error = refused(tmp_path, offered, installed, "gcc", "make")
    assert not isinstance(error, InstalledNewerError)
    assert "libmissing.so" in error.details


def test_one_fault_of_the_repository_beside_what_is_newer_is_a_fault(tmp_path):
    offered = [
        *compiler("2.39-23"), Rpm("lib", "1-1"), Rpm("lib", "2-1"), Rpm("tree", requires=("lib = 1-1",)),
    ]  # fmt: skip
    installed = [Rpm("glibc", "2.39-31"), Rpm("lib", "2-1")]
    assert not isinstance(refused(tmp_path, offered, installed, "gcc", "tree"), InstalledNewerError)


def test_what_is_installed_and_newer_than_offered_is_named_when_nothing_else_is_in_the_way(
    tmp_path,
):
    installed = [
        Rpm("glibc", "2.39-31", requires=("glibc-common = 2.39-31",)), Rpm("glibc-common", "2.39-31"),
        Rpm("bash", "9-1"),
    ]  # fmt: skip
    error = refused(tmp_path, [*compiler("2.39-23"), Rpm("bash", "5-1")], installed, "gcc")
    assert isinstance(error, InstalledNewerError)
    assert error.skews == tuple(
        Skew(name=name, installed="2.39-31", offered="2.39-23", repository="any")
        for name in ("glibc", "glibc-common")
    )
    assert "glibc-devel" in error.details


def test_a_package_that_is_hidden_does_not_come_in(tmp_path):
    pool = pool_of(tmp_path, {"any": [Rpm("tree", "2-1"), Rpm("tree", "1-1")]})
    newest = pool.named("tree", ["any"])[0]
    asked = dataclasses.replace(request(pool, "tree"), hidden=frozenset({newest.id}))
    found = solve(pool, pool.base, asked)
    assert [pool.solvable(number).evr for number in found.new] == ["1-1"]


def test_what_is_hidden_does_not_count_as_offered(tmp_path):
    offered = [Rpm("lib", "1-1"), Rpm("lib", "3-1"), Rpm("tree", requires=("lib = 1-1",))]
    pool = pool_of(tmp_path, {"any": offered}, (Rpm("lib", "2-1"),))
    newest = pool.named("lib", ["any"])[0]
    asked = dataclasses.replace(request(pool, "tree"), hidden=frozenset({newest.id}))
    with pytest.raises(InstalledNewerError):
        solve(pool, pool.base, asked)


# ------------------------------------------------------------------ what must come out


def test_an_older_package_may_come_in_where_its_name_is_erased(tmp_path):
    """So a kernel moves down."""
    offered, installed = [Rpm("kernel", "1-1")], [Rpm("kernel", "2-1")]
    found = solved(tmp_path, offered, installed, exactly=["kernel-1-1"], erase=["kernel"])
    assert found == [["kernel-1-1"], ["kernel-1-1"], ["kernel-2-1"]]


def test_an_upgrade_may_come_from_another_vendor(tmp_path):
    """Which vendor built what the base image has is not known."""
    offered = [Rpm("lib", "2-1", vendor="Other"), Rpm("tree", requires=("lib = 2-1",))]
    found = solved(tmp_path, offered, [Rpm("lib", "1-1")], "tree")
    assert found == [["lib-2-1", "tree-1-1"], ["tree-1-1"], ["lib-1-1"]]


def test_a_package_that_was_split_is_replaced_by_all_its_parts(tmp_path):
    """dnf does so: with one part alone, files that were installed would be gone."""
    offered = [Rpm(name, "2-1", obsoletes=("tools < 2",)) for name in ("tools-a", "tools-b")]
    found = solved(tmp_path, offered, [Rpm("tools", "1-1")], "tools-a")
    assert found == [["tools-a-2-1", "tools-b-2-1"], ["tools-a-2-1"], ["tools-1-1"]]


def test_only_what_has_the_name_was_asked_for_and_not_what_provides_it_too(tmp_path):
    """The plan lists what was asked for, and dnf is asked for just that."""
    offered = [Rpm("tree", requires=("lib",)), Rpm("lib", provides=("tree",))]
    assert solved(tmp_path, offered, [], "tree") == [["lib-1-1", "tree-1-1"], ["tree-1-1"], []]


def test_what_provides_a_name_that_no_package_has_was_asked_for(tmp_path):
    found = solved(tmp_path, [Rpm("nano", provides=("editor",))], [], "editor")
    assert found == [["nano-1-1"], ["nano-1-1"], []]
