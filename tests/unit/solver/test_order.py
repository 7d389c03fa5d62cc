"""rpm's order of versions."""

import itertools
import random
import subprocess

import pytest

from immutable_base.solver.order import EvrOrder, major_minor, order_key

ORDER = EvrOrder()

RISING = [
    "1~~-1", "1~-1", "1~rc1-1", "1~rc2-1", "1-1", "1-1.1", "1-2", "1-10", "1^-1", "1^20260101-1", "1.a-1", "1.0-1",
    "1.0.1-1", "1.1-1", "1.2-1", "1.9-1", "1.10-1", "9-1", "10-1", "10a-1", "10.1-1", "1:0.1-1", "2:0-1", "10:0-1",
]  # fmt: skip


def test_every_pair_of_a_rising_row_is_in_order():
    for (i, left), (j, right) in itertools.product(enumerate(RISING), repeat=2):
        found = ORDER(left, right)
        assert (found > 0) - (found < 0) == (i > j) - (i < j), (left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [("1.0-1", "1_0-1"), ("01-1", "1-1"), ("1.-1", "1-1"), ("0:1-1", "1-1"), ("1..2-1", "1.2-1")],
)
def test_texts_that_rpm_takes_for_the_same_version(left, right):
    assert ORDER(left, right) == ORDER(right, left) == 0


@pytest.mark.parametrize(
    ("version", "expected"),
    [("6.12.107", "6.12"), ("6.12", "6.12"), ("7", "7"), ("6.12.0.1", "6.12"), ("6.12.", "6.12")],
)
def test_the_unit_of_a_maximum_is_major_and_minor(version, expected):
    assert major_minor(version) == expected


def test_the_order_is_that_of_the_rpm_of_this_machine():
    """rpm's own answer to 300 random pairs, asked in one go."""
    chance = random.Random(7)
    words = ["".join(chance.choices("019aZ.~^_", k=chance.randrange(1, 7))) for _ in range(600)]
    pairs = list(zip(words[::2], words[1::2], strict=True))
    script = " ".join(f'print(rpm.vercmp("{left}", "{right}"), "")' for left, right in pairs)
    done = subprocess.run(
        ["rpm", "--eval", f"%{{lua:{script}}}"], capture_output=True, text=True, check=True
    )
    theirs = [int(line) for line in done.stdout.split()]
    ours = [ORDER(f"{left}-1", f"{right}-1") for left, right in pairs]
    assert [(number > 0) - (number < 0) for number in ours] == theirs


def test_sorting_by_the_order_does_not_depend_on_where_one_starts():
    chance = random.Random(3)
    for _ in range(20):
        assert sorted(chance.sample(RISING, len(RISING)), key=order_key(ORDER)) == RISING
