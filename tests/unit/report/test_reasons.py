"""Each reason once, however many kernels and variants share it."""

import pytest

from immutable_base.model.plan import KernelPlan, Plan, RejectedKernel, Verdict
from immutable_base.plan.kernel import Ceiling, decide
from immutable_base.report.plan import plan_text
from immutable_base.report.reasons import Rejection, other_reasons, rejections
from immutable_base.solver.order import EvrOrder
from support.kernels import constraints, kernel, policy
from support.plans import variant

BREAKS = "known to break zfs 2: too few arguments to function 'f'; see a.c"
"""The evidence has what separates reasons elsewhere."""


def decided(name, *offered, **changes):
    """Return a variant on which the kernel decision was really made."""
    decision = decide(constraints(*offered, **changes), EvrOrder())
    verdict = Verdict.BUILD if decision.plan.chosen else Verdict.HOLD
    changed = {"kernel": decision.plan, "reasons": decision.reasons, "verdict": verdict}
    return variant(name, "x").model_copy(update=changed)


def breaks_from(first):
    order = EvrOrder()
    return {"known_break": lambda evr: BREAKS if order(evr, first) >= 0 else None}


def words(*variants):
    plan = Plan(repositories=(), keys=(), variants=variants)
    return plan_text(plan, now=0, width=300, colour=False)


def below(text):
    """Return the lines below the table, each without the spaces around it."""
    return [line.strip() for line in text.partition("└")[2].splitlines()[2:]]


def test_kernels_that_share_a_reason_share_a_line_and_the_images_own_among_them():
    found = decided(
        "x", kernel("6.12.117-1"), kernel("6.12.116-1"), kernel("6.12.94-1"), **breaks_from("6.12.100")
    )  # fmt: skip
    assert rejections(found.kernel) == (
        Rejection(reason=BREAKS, kernels=("6.12.117-1", "6.12.116-1", "6.12.105-1")),
        Rejection(
            reason="no repository has kernel-devel for the image's own kernel 6.12.105-1.x86_64",
            kernels=("6.12.105-1",),
        ),
    )
    assert below(words(found)) == [
        f"x: {found.base.digest}",
        "kernel 6.12.94-1.x86_64",
        f"not 6.12.117-1, 6.12.116-1, 6.12.105-1: {BREAKS}",
        "not 6.12.105-1: no repository has kernel-devel for the image's own kernel 6.12.105-1.x86_64",
    ]


def test_a_reason_that_only_begins_alike_is_another():
    plan = KernelPlan(
        image="k", image_evr="1", chosen=None, chosen_evr=None, action=None, source=None, ceiling=None,
        rejected=(RejectedKernel(evr="3", reason="above 6"), RejectedKernel(evr="2", reason="above 61")),
    )  # fmt: skip
    assert [item.kernels for item in rejections(plan)] == [("3",), ("2",)]
    held = variant("x", None).model_copy(
        update={"kernel": plan, "reasons": ("held: none fits: above 61; the newest is 3",)}
    )
    assert other_reasons(held) == ("held: none fits; the newest is 3",)


@pytest.mark.parametrize("first", ["6.12.100", "6.12.1"])
def test_what_is_said_of_a_kernel_is_not_said_of_the_variant_again(first):
    found = decided("x", kernel("6.12.117-1"), kernel("6.12.94-1"), **breaks_from(first))
    assert words(found).count("too few arguments") == 1
    assert words(found).count("no repository has") == 1


def test_a_held_variant_still_says_what_would_release_it():
    ceiling = (Ceiling(module="zfs", version="2", maximum="6.11"),)
    found = decided("x", kernel("6.12.117-1"), kernel("6.12.94-1"), ceilings=ceiling)
    lines = below(words(found))
    assert lines[1] == "held: no kernel at or under 6.11 fits zfs; the newest offered is 6.12.117-1"
    assert lines[2].startswith("released by: a complete kernel set at or under 6.11")
    assert lines[3] == (
        "not 6.12.117-1, 6.12.105-1, 6.12.94-1: above 6.11, the newest kernel that zfs 2 accepts"
    )
    assert lines[5:] == []


def test_a_second_variant_names_the_first_instead_of_its_reasons():
    offered = (kernel("6.12.117-1"), kernel("6.12.94-1"))
    first = decided("first", *offered)
    second = decided("second", *offered, **breaks_from("6.12.110"))
    assert below(words(first, second))[-4:] == [
        f"second: {second.base.digest}",
        "kernel 6.12.94-1.x86_64",
        f"not 6.12.117-1: {BREAKS}",
        "not 6.12.105-1: as for first",
    ]


def test_variants_that_failed_alike_say_it_once_and_others_their_own():
    def failed(name, *reasons):
        return variant(name, None, verdict=Verdict.FAIL).model_copy(update={"reasons": reasons})

    lines = below(
        words(
            failed("a", "the mirror is down", "hint: wait"),
            failed("b", "the mirror is down", "hint: wait"),
            failed("c", "no key", "hint: wait"),
        )
    )
    digest = failed("a").base.digest
    assert lines == [
        f"a: {digest}", "the mirror is down", "hint: wait", "",
        f"b: {digest}", "as for a", "",
        f"c: {digest}", "no key", "hint: wait",
    ]  # fmt: skip


def test_the_policy_that_forbids_is_said_once_for_all_kernels():
    found = decided(
        "x", kernel("6.12.119-1"), kernel("6.12.118-1"), kernel("6.12.117-1"), policy=policy(up=False)
    )  # fmt: skip
    assert words(found).count("kernel.allow_up") == 1
