"""The kernel decision, on values alone."""

import pytest

from immutable_base.model.plan import KernelAction
from immutable_base.plan.kernel import Candidate, Ceiling, KernelConstraints, decide
from immutable_base.solver.order import EvrOrder
from support.kernels import WHOLE, constraints, kernel, policy

ORDER = EvrOrder()


def pinned(asked: KernelConstraints):
    plan = decide(asked, ORDER).plan
    return plan.chosen_evr, plan.action


def test_nothing_offered_holds():
    decision = decide(constraints(), ORDER)
    assert decision.plan.chosen is None
    assert "none is offered at all" in decision.reasons[0]


def test_kernel_devel_alone_keeps_the_image_kernel_whatever_is_newer():
    only_devel = kernel("6.12.105-1", frozenset({"kernel-devel"}))
    assert pinned(constraints(only_devel, kernel("6.12.117-1"))) == (
        "6.12.105-1",
        KernelAction.KEEP,
    )


def test_kernel_devel_of_another_release_string_does_not_keep():
    other = Candidate(evr="6.12.105-1", release="6.12.105-1.x86_64+debug", packages=WHOLE)
    assert decide(constraints(other), ORDER).plan.chosen is None


def test_no_module_needs_no_kernel_devel_and_rejects_nothing():
    decision = decide(constraints(kernel("6.12.117-1"), modules=()), ORDER)
    assert (decision.plan.action, decision.plan.source, decision.plan.rejected) == (
        KernelAction.KEEP,
        "image",
        (),
    )


@pytest.mark.parametrize("missing", ["kernel", "kernel-core", "kernel-devel"])
def test_an_incomplete_set_is_rejected_with_what_is_missing(missing):
    plan = decide(constraints(kernel("6.12.117-1", WHOLE - {missing})), ORDER).plan
    assert plan.chosen is None
    assert plan.rejected[0].reason == f"incomplete: no {missing} at this version"


def test_the_highest_at_or_under_the_ceiling():
    ceilings = (
        Ceiling(module="zfs", version="2.3.9", maximum="7.2"),
        Ceiling(module="other", version="1", maximum="6.12"),
    )
    asked = constraints(
        kernel("6.13.1-1"), kernel("6.12.117-1"), kernel("6.12.94-1"), ceilings=ceilings
    )
    plan = decide(asked, ORDER).plan
    assert (plan.chosen_evr, plan.ceiling) == ("6.12.117-1", "6.12")
    assert {item.evr: item.reason for item in plan.rejected} == {
        "6.13.1-1": "above 6.12, the newest kernel that other 1 accepts",
        "6.12.105-1": "no repository has kernel-devel for the image's own kernel 6.12.105-1.x86_64",
        "6.12.94-1": "older than 6.12.117-1, which was chosen",
    }


def test_major_minor_is_compared_by_number_and_patch_levels_are_inside():
    ceiling = (Ceiling(module="zfs", version="2", maximum="7.2"),)
    assert (
        pinned(constraints(kernel("7.2.12-1"), kernel("7.10.1-1"), ceilings=ceiling))[0]
        == "7.2.12-1"
    )


def test_the_image_kernel_itself_above_the_ceiling_goes_down():
    ceiling = (Ceiling(module="zfs", version="2", maximum="6.11"),)
    asked = constraints(kernel("6.12.105-1"), kernel("6.11.9-1"), ceilings=ceiling)
    assert pinned(asked) == ("6.11.9-1", KernelAction.DOWN)


def test_the_ledger_rejects_with_its_evidence_even_the_image_kernel():
    asked = constraints(
        kernel("6.12.105-1"), kernel("6.12.94-1"),
        known_break=lambda version: "known to break x" if ORDER(version, "6.12.100") > 0 else None,
    )  # fmt: skip
    decision = decide(asked, ORDER)
    assert (decision.plan.chosen_evr, decision.plan.action) == ("6.12.94-1", KernelAction.DOWN)
    assert decision.plan.rejected[0].reason == "the image's own kernel is known to break x"


@pytest.mark.parametrize(
    ("up", "down", "expected"),
    [
        (True, True, "6.12.117-1"),
        (False, True, "6.12.94-1"),
        (True, False, "6.12.117-1"),
        (False, False, None),
    ],
)
def test_policy(up, down, expected):
    offered = (kernel("6.12.117-1"), kernel("6.12.94-1"))
    plan = decide(constraints(*offered, policy=policy(up=up, down=down)), ORDER).plan
    assert plan.chosen_evr == expected
    assert all(item.reason for item in plan.rejected)


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("6.12.104-1", "1:6.12.1-1"),  # epoch
        ("6.13~rc1-1", "6.13-1"),  # tilde: before
        ("6.13-1", "6.13^20260101-1"),  # caret: after
        ("6.12.99-1", "6.12.106-1"),  # by number, not by letter
        ("6.13.0-9.el10", "6.13.0-10.el10"),
        ("6.13.0-1.el10", "6.13.0-1.el10_2"),
    ],
)
def test_rpm_order(older, newer):
    assert pinned(constraints(kernel(older), kernel(newer)))[0] == newer
    assert pinned(constraints(kernel(newer), kernel(older)))[0] == newer


def test_hold_names_the_conditions_of_release():
    reasons = decide(constraints(kernel("6.12.117-1", frozenset())), ORDER).reasons
    assert reasons[1].startswith("released by: kernel-devel for 6.12.105-1.x86_64 in a repository")


def test_a_kernel_that_is_not_the_newest_says_what_is_wrong_with_the_newest():
    ceiling = (Ceiling(module="zfs", version="2.3.9", maximum="6.12"),)
    asked = constraints(kernel("6.13.1-1"), kernel("6.12.117-1"), ceilings=ceiling)
    assert decide(asked, ORDER).reasons == (
        (
            "kernel 6.12.117-1.x86_64: "
            "no repository has kernel-devel for the image's own kernel 6.12.105-1.x86_64"
        ),
        "not the newest offered, 6.13.1-1: above 6.12, the newest kernel that zfs 2.3.9 accepts",
    )


def test_the_newest_kernel_needs_no_such_reason():
    assert len(decide(constraints(kernel("6.12.117-1"), kernel("6.12.94-1")), ORDER).reasons) == 1


def test_going_down_from_the_newest_kernel_names_it_once():
    own = kernel("6.12.105-1")
    asked = constraints(
        own, kernel("6.12.94-1"), known_break=lambda v: "bad" if v == "6.12.105-1" else None
    )
    assert decide(asked, ORDER).reasons == (
        "kernel 6.12.94-1.x86_64: the image's own kernel is bad",
    )


def test_where_the_images_kernel_stays_every_other_one_has_a_reason_of_its_own():
    ceiling = (Ceiling(module="zfs", version="2.3.9", maximum="6.12"),)
    asked = constraints(
        kernel("6.13.1-1"), kernel("6.12.117-1"), kernel("6.12.105-1"), kernel("6.12.94-1", WHOLE - {"kernel"}),
        ceilings=ceiling,
    )  # fmt: skip
    decision = decide(asked, ORDER)
    assert [(item.evr, item.reason) for item in decision.plan.rejected] == [
        ("6.13.1-1", "above 6.12, the newest kernel that zfs 2.3.9 accepts"),
        ("6.12.117-1", "not needed: the image's own kernel is kept"),
        ("6.12.94-1", "incomplete: no kernel at this version"),
    ]
    assert decision.plan.source == "image"


def test_a_kernel_whose_uname_r_no_package_names_is_not_chosen():
    nameless = Candidate(evr="6.12.117-1", release=None, packages=WHOLE)
    plan = decide(constraints(nameless), ORDER).plan
    assert plan.chosen is None
    assert "`uname -r`" in plan.rejected[0].reason


def test_both_reasons_against_the_images_kernel_are_named():
    asked = constraints(kernel("6.12.94-1"), known_break=lambda v: "bad" if "105" in v else None)
    (reason,) = decide(asked, ORDER).reasons
    assert "no repository has kernel-devel for" in reason
    assert reason.endswith("; the image's own kernel is bad")


def test_a_hold_for_a_refused_kernel_does_not_promise_that_kernel_devel_helps():
    reasons = decide(constraints(known_break=lambda v: "bad"), ORDER).reasons
    assert reasons[1].startswith("released by: a complete kernel set")
    assert "kernel-devel for" not in reasons[1]
