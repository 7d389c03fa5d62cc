"""Warnings, and how old repositories are, in everything that a person reads."""

import pytest

from immutable_base.model.plan import Plan, RepositoryPlan, SkippedRepository
from immutable_base.plan.diff import diff_plans
from immutable_base.report.explain import explanation
from immutable_base.report.markdown import run_markdown
from immutable_base.report.plan import plan_text
from immutable_base.report.plan_diff import plan_diff_text
from immutable_base.report.repositories import repository_lines
from immutable_base.report.run import run_text
from immutable_base.solver.order import EvrOrder
from support.plans import BASE, K1, variant
from support.run_reports import BAD, GOOD, report

WARNING = "the base image has no support from 2026-12-02 on"
DAY = 86400
NOW = 20_000 * DAY


def warned(name, *warnings):
    return variant(name, K1).model_copy(update={"warnings": warnings})


def repository(name="epel", age=1, **changes):
    values = {
        "id": name, "url": f"https://mirror.example/{name}/", "revision": "1", "repomd_sha256": "0" * 64,
        "metadata_signed_by": None, "packages": 1, "timestamp": None if age is None else NOW - int(age * DAY),
    }  # fmt: skip
    return RepositoryPlan(**values | changes)


def whole(*repositories, skipped=(), variants=()):
    return Plan(repositories=repositories, keys=(), skipped=skipped, variants=variants)


def lines(plan):
    return [line.strip() for line in plan_text(plan, now=NOW, width=200, colour=False).splitlines()]


def test_the_plan_shows_every_warning_of_a_variant():
    shown = lines(whole(variants=(warned("a", WARNING, "other"), warned("b", WARNING))))
    assert shown.count(f"warning: {WARNING}") == 2
    assert "warning: other" in shown


def test_the_explanation_shows_warnings_what_the_base_says_and_its_repositories():
    base = BASE.model_copy(update={"compose": "C-1", "support_end": "2026-12-02"})
    found = warned("a", WARNING).model_copy(update={"base": base})
    text = explanation(found, EvrOrder(), ["epel: old"])
    for words in (f"  warning: {WARNING}", "  its compose: C-1", "\nrepositories\n  epel: old\n",
                  "  no support from 2026-12-02 on, by its os-release"):  # fmt: skip
        assert words in text
    assert "repositories" not in explanation(variant("a", K1), EvrOrder())
    assert "support" not in explanation(variant("a", K1), EvrOrder())


def test_a_run_shows_warnings_of_variants_that_went_well_and_of_those_that_did_not():
    noted = [item.model_copy(update={"warnings": (WARNING,)}) for item in (GOOD, BAD)]
    for text in (run_text(report(*noted), width=140, colour=False), run_markdown(report(*noted))):
        assert text.count(WARNING) == 2
    assert f"**base-zfs** warning: {WARNING}" in run_markdown(report(*noted)).splitlines()
    assert (
        f"base: warning: {WARNING}"
        in run_text(report(*noted), width=140, colour=False).splitlines()
    )


@pytest.mark.parametrize(
    ("before", "after", "shown"),
    [((), (WARNING,), [WARNING]), ((WARNING,), (WARNING,), []), ((WARNING,), (WARNING, "x"), ["x"]), ((WARNING,), (), [])],
)  # fmt: skip
def test_a_difference_shows_warnings_that_are_new(before, after, shown):
    plans = [whole(variants=(warned("a", *warnings),)) for warnings in (before, after)]
    found = diff_plans(*plans, EvrOrder())
    assert list(found.variants[0].warnings) == shown
    text = plan_diff_text(found, "old.json").splitlines()
    assert text[1:] == ["a: build, nothing changes", *(f"  warning: {it}" for it in shown)]


def test_of_a_new_variant_every_warning_is_new():
    found = diff_plans(whole(), whole(variants=(warned("a", WARNING),)), EvrOrder())
    assert found.variants[0].warnings == (WARNING,)


@pytest.mark.parametrize(
    ("age", "words"),
    [(0, "metadata of 2024-10-04, 0 days old, not signed"), (1.5, "metadata of 2024-10-02, 1 day old, not signed"),
     (40, "metadata of 2024-08-25, 40 days old, not signed"), (-3, "metadata of 2024-10-07, 0 days old, not signed"),
     (None, "metadata that does not say when it was made, not signed")],
)  # fmt: skip
def test_each_repository_has_its_age(age, words):
    assert repository_lines(whole(repository(age=age)), NOW) == (f"epel: {words}",)


def test_the_plan_shows_what_is_signed_archived_and_not_used():
    shown = lines(
        whole(
            repository("cuda", metadata_signed_by="A" * 40),
            repository("fedora", archived=True),
            skipped=(SkippedRepository(id="compose", stream="el", reason="gone"),),
        )
    )
    assert shown[shown.index("repositories") + 1 :] == [
        "cuda: metadata of 2024-10-03, 1 day old, signed",
        "fedora: metadata of 2024-10-03, 1 day old, not signed, from its archive https://mirror.example/fedora/",
        "compose: not used on stream el: gone",
    ]
    assert "repositories" not in lines(whole())
