"""Which advisories are open, which let a schedule build, and which a new image closes."""

import pytest

from immutable_base.config.instance import Rebuild
from immutable_base.instance.advisories import (
    fixed_in,
    open_advisories,
    other_notes,
    reasons_to_build,
)
from immutable_base.solver.advisories import Advisory, NamedPackage
from immutable_base.solver.order import EvrOrder

ORDER = EvrOrder()
JQ = ("jq", "x86_64")


def advisory(*evrs, name="jq", arch="x86_64", id_="A-1"):
    packages = tuple(NamedPackage(name=name, arch=arch, evr=evr) for evr in evrs or ("1.10-1",))
    return Advisory(id=id_, severity="Low", cves=("CVE-2026-1000",), packages=packages)


def found(*advisories, image=None, base=None, offered=None):
    return open_advisories(
        "updates", advisories or [advisory()], {JQ: "1.9-1"} if image is None else image, base or {},
        {JQ: "1.10-1"} if offered is None else offered, ORDER,
    )  # fmt: skip


def test_an_older_package_is_open_by_rpms_order():
    (one,) = found()
    (package,) = one.packages
    assert (one.id, one.repository, one.cves) == ("A-1", "updates", ("CVE-2026-1000",))
    assert (package.installed, package.fixed, package.in_base) == ("1.9-1", "1.10-1", False)


CLOSED = {
    "the same version": {"image": {JQ: "1.10-1"}},
    "a newer version": {"image": {JQ: "1.11-1"}},
    "a newer epoch": {"image": {JQ: "1:1.0-1"}},
    "not installed": {"image": {("bash", "x86_64"): "1-1"}},
    "another architecture": {"image": {("jq", "i686"): "1.9-1"}},
    "nobody offers it": {"offered": {}},
    "only an older one is offered": {"offered": {JQ: "1.9-2"}},
    "offered for another architecture": {"offered": {("jq", "noarch"): "1.10-1"}},
}


@pytest.mark.parametrize("given", CLOSED.values(), ids=CLOSED.keys())
def test_what_is_not_open(given):
    assert found(**given) == ()


def test_a_newer_one_than_the_advisory_s_may_be_offered():
    assert found(offered={JQ: "1.12-1"})


def test_the_base_s_package_is_known_by_its_version():
    assert found(base={JQ: "1.9-1"})[0].packages[0].in_base
    assert not found(base={JQ: "1.8-1"})[0].packages[0].in_base


def test_what_only_the_base_has_is_no_reason_unless_all_is_asked_for():
    of_base, own = found(base={JQ: "1.9-1"}), found()
    assert reasons_to_build(of_base, Rebuild()) == ()
    assert reasons_to_build(own, Rebuild()) == own
    assert reasons_to_build(of_base, Rebuild(security_updates="all")) == of_base


def test_one_package_of_its_own_is_enough():
    both = advisory()
    both = Advisory(
        id="A-2", severity="", cves=(), packages=(*both.packages, NamedPackage(name="tree", arch="noarch", evr="3-1")),
    )  # fmt: skip
    tree = ("tree", "noarch")
    opened = found(
        both, image={JQ: "1.9-1", tree: "2-1"}, base={JQ: "1.9-1"}, offered={JQ: "1.10-1", tree: "3-1"},
    )  # fmt: skip
    assert [it.in_base for it in opened[0].packages] == [True, False]
    assert reasons_to_build(opened, Rebuild()) == opened


@pytest.mark.parametrize("mode", ["added", "all"])
def test_an_accepted_advisory_is_no_reason_and_noted(mode):
    opened = found()
    rebuild = Rebuild(accepted_advisories=("A-1",), security_updates=mode)
    assert reasons_to_build(opened, rebuild) == ()
    (note,) = other_notes(opened, rebuild)
    assert "rebuild.accepted_advisories: A-1" in note
    assert reasons_to_build(opened, Rebuild(accepted_advisories=("A-10", "A"))) == opened


def test_what_waits_for_a_new_base_is_noted_and_a_reason_is_not():
    (note,) = other_notes(found(base={JQ: "1.9-1"}), Rebuild())
    assert "open in the base image" in note
    assert "A-1 (Low): jq.x86_64 1.9-1 → 1.10-1; CVE-2026-1000" in note
    assert list(other_notes(found(), Rebuild())) == []


def test_an_advisory_is_closed_when_every_package_moved_up():
    two = Advisory(
        id="A-2", severity="", cves=(), packages=(NamedPackage(name="jq", arch="x86_64", evr="1.10-1"), NamedPackage(name="tree", arch="noarch", evr="3-1")),
    )  # fmt: skip
    tree = ("tree", "noarch")
    opened = found(two, image={JQ: "1.9-1", tree: "2-1"}, offered={JQ: "1.10-1", tree: "3-1"})
    assert fixed_in(opened, {JQ: "1.10-1", tree: "2-1"}, ORDER) == ()
    (closed,) = fixed_in(opened, {JQ: "1.11-1", tree: "3-1"}, ORDER)
    assert (closed.id, closed.packages) == ("A-2", ("jq", "tree"))
    assert fixed_in(opened, {JQ: "1.10-1"}, ORDER)[0].packages == ("jq",), "tree is gone"


def test_what_is_gone_altogether_was_not_updated():
    assert fixed_in(found(), {}, ORDER) == ()
