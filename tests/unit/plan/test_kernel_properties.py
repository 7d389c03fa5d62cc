"""The kernel decision on random offers: whatever is there, what it chooses is allowed."""

import random

from immutable_base.model.plan import KernelAction
from immutable_base.plan.kernel import Candidate, Ceiling, decide
from immutable_base.solver.order import EvrOrder
from support.kernels import WHOLE, constraints, policy

ORDER = EvrOrder()
VERSIONS = [
    f"{major}.{minor}.{patch}" for major in (5, 6, 7) for minor in (0, 2, 12) for patch in (1, 9, 10)
]  # fmt: skip
SEEDS = range(400)
BREAK = "known to break x"


def random_case(seed):
    """Return what may be chosen from: offers, ceilings, breaks and a policy."""
    chance = random.Random(seed)
    evrs = [f"{version}-{chance.choice((1, 2, 10))}" for version in VERSIONS]
    image = chance.choice(evrs)
    candidates = [
        Candidate(
            evr=evr,
            release=chance.choice((f"{evr}.x86_64", f"{evr}.x86_64", f"{evr}.x86_64+rt", None)),
            packages=WHOLE if chance.random() < 0.7 else frozenset(chance.sample(sorted(WHOLE), 2)),
        )
        for evr in chance.sample(evrs, chance.randrange(len(evrs)))
    ]
    ceilings = [
        Ceiling(module=f"m{n}", version="1", maximum=f"{chance.randrange(5, 8)}.{chance.choice((0, 2, 12))}")
        for n in range(chance.randrange(3))
    ]  # fmt: skip
    broken = frozenset(chance.sample(evrs, chance.randrange(len(evrs) // 2)))
    up, down = chance.random() < 0.7, chance.random() < 0.7
    return constraints(
        *candidates, image=image, ceilings=ceilings, policy=policy(up=up, down=down),
        known_break=lambda kernel: BREAK if kernel in broken else None,
    )  # fmt: skip


def is_under(evr, ceiling):
    """Compare by numbers, not by the code under test."""
    major, minor = evr.split(".")[:2]
    return (int(major), int(minor)) <= tuple(int(part) for part in ceiling.maximum.split("."))


def as_numbers(evr):
    version, _, release = evr.partition("-")
    return (*(int(part) for part in version.split(".")), int(release))


def may_be_chosen(asked, candidate):
    forbidden = {
        1: not asked.policy.allow_up,
        -1: not asked.policy.allow_down,
        0: True,  # the image's own is kept or refused, never swapped for itself
    }
    ours, theirs = as_numbers(candidate.evr), as_numbers(asked.image_evr)
    return (
        candidate.packages == WHOLE
        and candidate.release is not None
        and not forbidden[(ours > theirs) - (ours < theirs)]
        and all(is_under(candidate.evr, ceiling) for ceiling in asked.ceilings)
        and asked.known_break(candidate.evr) is None
    )


def may_be_kept(asked):
    return (
        any(c.release == asked.image_release and "kernel-devel" in c.packages for c in asked.candidates)
        and all(is_under(asked.image_evr, ceiling) for ceiling in asked.ceilings)
        and asked.known_break(asked.image_evr) is None
    )  # fmt: skip


def test_what_is_chosen_is_complete_under_every_ceiling_and_unbroken_or_nothing_is():
    for seed in SEEDS:
        asked = random_case(seed)
        require_sound(asked, decide(asked, ORDER).plan, seed)


def require_sound(asked, plan, seed):
    fitting = {c.evr: c.release for c in asked.candidates if may_be_chosen(asked, c)}
    if may_be_kept(asked):
        assert (plan.chosen, plan.action) == (asked.image_release, KernelAction.KEEP), seed
    elif fitting:
        newest = max(fitting, key=as_numbers)
        assert (plan.chosen_evr, plan.chosen) == (newest, fitting[newest]), seed
    else:
        assert plan.chosen is None, seed
        assert plan.action is None, seed
    offered = {c.evr for c in asked.candidates} | {asked.image_evr}
    assert {item.evr for item in plan.rejected} == offered - {plan.chosen_evr}, seed
    assert all(item.reason for item in plan.rejected), seed


def test_the_random_cases_keep_move_both_ways_and_hold():
    ways = {decide(random_case(seed), ORDER).plan.action for seed in SEEDS}
    assert ways == {KernelAction.KEEP, KernelAction.UP, KernelAction.DOWN, None}
