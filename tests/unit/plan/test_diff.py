"""What changes between two plans, on values alone."""

from base64 import b64encode

import pytest

from immutable_base.model.checksum import Checksum
from immutable_base.model.module_signer import ModuleSigner
from immutable_base.model.plan import Plan, Verdict
from immutable_base.model.plan_diff import ChangeKind, VariantChange
from immutable_base.plan.diff import diff_plans
from immutable_base.solver.order import EvrOrder
from support.plans import K1, K2, layer, module, package, plan, variant

ORDER = EvrOrder()


def document(*variants):
    return Plan(repositories=(), keys=(), variants=variants)


def diff_of(before, after):
    """Return what changes for the one variant of two plans."""
    [found] = diff_plans(document(before), document(after), ORDER).variants
    return found


def installing(*packages, **changes):
    return variant("base", K1, layer("base", *packages)).model_copy(update=changes)


def packages_of(before, after):
    found = diff_of(installing(*before), installing(*after)).packages
    return [(item.name, item.change.value, item.before, item.after) for item in found]


def test_a_plan_changes_nothing_against_itself():
    found = diff_plans(plan(), plan(), ORDER).variants
    assert [item.name for item in found] == [item.name for item in plan().variants]
    assert {item.change for item in found} == {VariantChange.SAME}
    assert [item for item in found if item.packages or item.kernel or item.reasons] == []


def test_packages_up_down_new_and_gone_sorted_by_name():
    before = [package("up", "9"), package("down", "2"), package("gone"), package("same")]
    after = [package("same"), package("new"), package("down", "1"), package("up", "10")]
    assert packages_of(before, after) == [
        ("down", "down", "2-1.el10", "1-1.el10"),
        ("gone", "gone", "1-1.el10", None),
        ("new", "new", None, "1-1.el10"),
        ("up", "up", "9-1.el10", "10-1.el10"),
    ]


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (package("x", "1~rc1"), package("x", "1")),
        (package("x", "1"), package("x", "1^git1")),
        (package("x", "99"), package("x", "1", epoch=1)),
        (package("x", "1", "9.el10"), package("x", "1", "10.el10")),
    ],
)
def test_the_order_of_versions_is_rpms(older, newer):
    assert packages_of([older], [newer])[0][1] == "up"
    assert packages_of([newer], [older])[0][1] == "down"


def test_another_file_of_the_same_version_is_no_silence():
    rebuilt = package("x").model_copy(update={"checksum": Checksum.of("sha256", "f" * 64)})
    assert packages_of([package("x")], [rebuilt]) == [("x", "rebuilt", "1-1.el10", "1-1.el10")]


def test_architectures_of_one_name_are_two_packages():
    both = [package("libc"), package("libc", arch="i686")]
    assert packages_of(both, both[:1]) == [("libc", "gone", "1-1.el10", None)]


def test_what_a_later_layer_upgrades_counts_as_it_ends():
    before = variant("base", K1, layer("base", package("x", "1")), layer("zfs", package("x", "2")))
    after = variant("base", K1, layer("base", package("x", "2")))
    assert diff_of(before, after).packages == ()


def test_kernel_module_and_builder():
    before = variant("base-zfs", K1, layer("zfs", module(K1).kmod), modules=[module(K1)])
    new = module(K2, version="2.3.10")
    after = variant("base-zfs", K2, layer("zfs", new.kmod), modules=[new])
    found = diff_of(before, after)
    assert (found.kernel.change, found.kernel.before, found.kernel.after) == (ChangeKind.UP, K1, K2)
    [changed] = found.modules
    assert (changed.name, changed.change, changed.before, changed.after) == (
        "zfs", ChangeKind.UP, "2.3.9-1", "2.3.10-1",
    )  # fmt: skip
    assert [item.name for item in found.packages] == ["kmod-zfs-prebuilt"]
    assert {item.name for item in found.builders} == {
        "zfs-dkms", "kernel-devel", "kernel-devel-matched",
    }  # fmt: skip


def test_another_compiler_alone_is_a_change_although_no_package_of_the_image_is():
    new = module(K1).model_copy(update={"builder": (*module(K1).builder, package("cpp"))})
    found = diff_of(variant("x", K1, modules=[module(K1)]), variant("x", K1, modules=[new]))
    assert found.change is VariantChange.CHANGED
    assert [item.name for item in found.builders] == ["cpp"]
    assert found.packages == ()


def test_another_base_image_alone_is_a_change():
    other = variant("x", K1).base.model_copy(update={"digest": "sha256:" + "b" * 64})
    found = diff_of(variant("x", K1), variant("x", K1).model_copy(update={"base": other}))
    assert found.change is VariantChange.CHANGED
    assert (found.base_before[-1], found.base_after[-1]) == ("a", "b")


@pytest.mark.parametrize(
    ("before", "after"),
    [(Verdict.BUILD, Verdict.HOLD), (Verdict.HOLD, Verdict.BUILD), (Verdict.BUILD, Verdict.FAIL)],
)
def test_of_a_variant_that_is_not_built_no_package_is_said_to_be_gone_or_new(before, after):
    """A held variant stays published as it is."""
    found = diff_of(
        installing(package("x"), verdict=before),
        installing(verdict=after, reasons=("because",)),
    )
    assert (found.verdict_before, found.verdict_after) == (before, after)
    assert (found.change, found.reasons) == (VariantChange.CHANGED, ("because",))
    assert (found.packages, found.modules, found.kernel) == ((), (), None)


def test_variants_that_are_new_or_gone():
    found = diff_plans(
        document(variant("old", K1), variant("kept", K1)),
        document(variant("new", K1), variant("kept", K1)),
        ORDER,
    ).variants
    assert [(item.name, item.change.value) for item in found] == [
        ("new", "new"), ("kept", "same"), ("old", "gone"),
    ]  # fmt: skip
    assert (found[0].verdict_before, found[2].verdict_after) == (None, None)


def signer(name, der, following=None):
    return ModuleSigner(
        name=name, key_id="01", certificate=b64encode(der).decode(),
        next_certificate=b64encode(following).decode() if following else None,
    )  # fmt: skip


def signed(by, **changes):
    found = variant("base-zfs", K1, modules=[module(K1)])
    return found.model_copy(update={"module_signer": by, **changes})


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (signer("a", b"1"), signer("a", b"2")),
        (signer("a", b"1"), signer("a", b"1", b"2")),
        (signer("a", b"1"), None),
        (None, signer("a", b"1")),
    ],
)
def test_another_certificate_for_modules_is_a_change_of_its_own(before, after):
    found = diff_of(signed(before), signed(after))
    assert found.change is VariantChange.CHANGED
    assert (found.modules, found.packages) == ((), ())
    names = [it and it.sha256 for it in (before, after)]
    change = found.module_signer
    assert [it and it.sha256 for it in (change.before, change.after)] == names


def test_the_same_certificate_is_no_change_and_nor_is_a_signer_without_modules():
    one = signer("a", b"1", b"2")
    assert diff_of(signed(one), signed(one)).module_signer is None
    gone = signed(None, modules=())
    assert diff_of(signed(one), gone).module_signer is None
