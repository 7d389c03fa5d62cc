"""The versions that repositories and images really write, taken apart and put together."""

import random

import pytest

from immutable_base.errors import ImmutableBaseError
from immutable_base.model.evr import Evr, Nevra


def test_what_is_split_can_be_put_together_again():
    chance = random.Random(1)
    for _ in range(2000):
        epoch = chance.choice((0, 0, 1, 3, 20))
        version, release = (
            "".join(chance.choices("019ab.~^+_", k=chance.randrange(1, 9))) for _ in "ab"
        )
        text = (
            f"{epoch}:{version}-{release}"
            if epoch or chance.random() < 0.3
            else f"{version}-{release}"
        )
        assert Evr.parse(text) == Evr(epoch, version, release)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("2.3.9", (0, "2.3.9", "")),
        ("3:550.163.01", (3, "550.163.01", "")),
        ("1:2-3-4", (1, "2-3", "4")),
        ("6.12.107+deb13-1", (0, "6.12.107+deb13", "1")),
        ("0:1-1", (0, "1", "1")),
        ("1-", (0, "1", "")),
        ("", (0, "", "")),
    ],
)
def test_odd_texts_are_split_at_the_first_colon_and_the_last_dash(text, parts):
    assert Evr.parse(text) == Evr(*parts)


@pytest.mark.parametrize(
    "text", ["2.3.9", "3:550.163.01", "1:2-3-4", "6.12.107+deb13-1", "1-1", "20:1~rc1-0.1.el10"]
)
def test_a_version_is_written_as_rpm_prints_it(text):
    assert str(Evr.parse(text)) == text


def test_epoch_0_is_left_out():
    assert str(Evr.parse("0:1-1")) == "1-1"


@pytest.mark.parametrize("text", ["x:1-1", ":1-1", "-1:1-1", "1.0:1-1", "\u0663:1-1", " 1:1-1"])
def test_an_epoch_that_is_not_a_number_is_an_error_with_a_message(text):
    with pytest.raises(ImmutableBaseError, match="epoch"):
        Evr.parse(text)


def test_an_exact_name_has_the_epoch_and_a_file_name_has_not():
    nevra = Nevra("zfs", Evr(2, "2.3.9", "1.el10"), "x86_64")
    assert str(nevra) == "zfs-2:2.3.9-1.el10.x86_64"
    assert nevra.file_name == "zfs-2.3.9-1.el10.x86_64.rpm"
