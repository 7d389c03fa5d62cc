"""What a plan changes, as a comment in a merge request."""

from immutable_base.model.plan import Plan, Verdict
from immutable_base.plan.diff import diff_plans
from immutable_base.report import plan_diff_markdown as module
from immutable_base.report.plan_diff_markdown import escape, plan_diff_markdown
from immutable_base.solver.order import EvrOrder
from support.plans import K1, K2, layer, package, variant
from support.plans import module as kmod
from support.sound_image import SIGNER


def markdown(before, after):
    plans = [Plan(repositories=(), keys=(), variants=variants) for variants in (before, after)]
    return plan_diff_markdown(diff_plans(*plans, EvrOrder()))


def test_nothing_is_said_to_change_where_nothing_does():
    same = [variant("base", K1), variant("base-zfs", K1)]
    assert markdown(same, same) == "**Nothing changes** for base, base-zfs.\n"
    assert markdown([], []) == "**Nothing changes**.\n"


def test_each_variant_that_changes_has_a_row_and_its_details():
    before = [
        variant("base", K1, layer("base", package("tree", "2"), package("nano"))),
        variant("base-zfs", K1, modules=[kmod(K1)]),
        variant("quiet", K1),
    ]
    after = [
        variant("base", K1, layer("base", package("tree", "3"), package("htop"))),
        variant("base-zfs", K2, modules=[kmod(K2, version="2.3.10")]),
        variant("quiet", K1),
    ]
    lines = markdown(before, after).splitlines()
    assert lines[0] == "**What changes**"
    zfs = "zfs up: 2.3.9-1 → 2.3.10-1"
    rows = [line for line in lines if line.startswith("| base")]
    assert rows == [
        "| base | build, as before | - | - | - | 1 up, 1 new, 1 gone |",
        f"| base-zfs | build, as before | - | kernel up: {escape(K1)} → {escape(K2)} | {zfs} | - |",
    ]
    assert "* htop.x86\\_64 new: 1-1.el10" in lines
    assert lines[-1] == "Nothing changes for quiet."
    assert lines.count("</details>") == sum("<details>" in line for line in lines) == 2


def test_what_upstream_says_does_nothing_in_a_comment():
    held = variant("x", None, verdict=Verdict.HOLD).model_copy(
        update={"reasons": ("</details><script>@all !1 #2 |\n# big",)}
    )
    text = markdown([], [held])
    assert "\\</details\\>\\<script\\>\\@all \\!1 \\#2 \\| \\# big" in text


def test_a_comment_that_is_too_long_is_cut_and_closed(monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 2000)
    many = [package(f"p{number}") for number in range(500)]
    text = markdown([variant("base", K1)], [variant("base", K1, layer("base", *many))])
    assert len(text) < 2200
    assert text.count("<details>") == text.count("</details>") == 1
    assert "and more" in text


def test_another_signer_of_modules_is_seen_in_the_row_and_told_below():
    before = variant("base-zfs", K1, modules=[kmod(K1)])
    text = markdown([before], [before.model_copy(update={"module_signer": SIGNER})])
    assert "| base-zfs | build, as before | - | - | signatures change | - |" in text
    assert "* modules signed: by Example modules" in text
