"""What the image's rpm prints is read strictly."""

import pytest

from immutable_base.errors import CheckError
from immutable_base.image.rpmdb import Relation, parse
from support.plan_world import installed_text
from support.rpmmd import Rpm


def test_every_field():
    text = installed_text(
        [Rpm("x", "2:1.0~rc1-1^git", "noarch", provides=("y = 1:2-3",), requires=("(a if b)", "rpmlib(X) <= 4-1", "c >= 5"),
             conflicts=("d < 6",), obsoletes=("e > 7",), files=("/usr/bin/a b",))]
    )  # fmt: skip
    (found,) = parse(text).packages
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
    found = parse(text)
    assert [(p.name, p.files) for p in found.packages] == [("x", frozenset())]
    assert found.public_keys == ("gpg-pubkey-1-1",)


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text.replace("end\n", ""),
        lambda text: text.replace("package\t", "warning: ", 1),
        lambda text: text.replace("\t8\t", "\t"),
        lambda text: "error: rpmdb\n" + text,
        lambda text: text.replace("\t1700000000\n", "\t(none)\n", 1),
        lambda text: text.replace("\t8\t", "\teight\t", 1),
        lambda text: text[: text.index("end\n")],
        lambda text: "",
        lambda text: installed_text([Rpm("gpg-pubkey")]),
    ],
)
def test_anything_else_is_an_error(change):
    with pytest.raises(CheckError):
        parse(change(installed_text([Rpm("x"), Rpm("y")])))


@pytest.mark.parametrize("missing", [1, 2])
def test_an_answer_that_ends_within_a_package_is_not_taken_for_all_packages(missing):
    """Whole packages come before: the image would seem to lack the last one."""
    lines = installed_text([Rpm("x"), Rpm("y")]).splitlines(keepends=True)
    with pytest.raises(CheckError, match="cut off"):
        parse("".join(lines[:-missing]))


def test_file_names_with_other_line_separators_are_one_file():
    names = ("/usr/a\u2028b", "/usr/c\x85d", "/usr/e\x0cf")
    (found,) = parse(installed_text([Rpm("x", files=names)])).packages
    assert found.files == set(names)
