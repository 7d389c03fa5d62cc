"""What the image's rpm prints is read strictly."""

import pytest

from immutable_base.errors import ImmutableBaseError
from immutable_base.image.rpmdb import Relation, parse
from support.plan_world import installed_text
from support.rpmmd import Rpm


def test_every_field():
    text = installed_text(
        [Rpm("x", "2:1.0~rc1-1^git", "noarch", provides=("y = 1:2-3",), requires=("(a if b)", "rpmlib(X) <= 4-1", "c >= 5"),
             conflicts=("d < 6",), obsoletes=("e > 7",), files=("/usr/bin/a b",))]
    )  # fmt: skip
    (found,) = parse(text)
    assert (found.name, found.evr, found.arch) == ("x", "2:1.0~rc1-1^git", "noarch")
    assert found.provides[1] == Relation(name="y", comparison="=", evr="1:2-3")
    assert [(r.name, r.comparison, r.evr) for r in found.requires] == [
        ("(a if b)", "", ""),
        ("c", ">=", "5"),
    ]
    assert (found.conflicts[0].comparison, found.obsoletes[0].comparison) == ("<", ">")
    assert found.files == {"/usr/bin/a b"}


def test_keys_and_absent_tags_are_no_packages_and_no_files():
    text = installed_text([Rpm("gpg-pubkey"), Rpm("x")]).replace("end\n", "file\t(none)\nend\n")
    assert [(p.name, p.files) for p in parse(text)] == [("x", frozenset())]


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("end\n", ""),
        lambda text: text.replace("package\t", "warning: ", 1),
        lambda text: text.replace("\t8\t", "\t"),
        lambda text: "error: rpmdb\n" + text,
    ],
)
def test_anything_else_is_an_error(change):
    with pytest.raises(ImmutableBaseError):
        parse(change(installed_text([Rpm("x"), Rpm("y")])))
