"""The lab's scenarios: `doctor --online` foresees each, and a run ends in it as it says.

Where only the variant with a module is concerned, it alone is run: `held` and the module that does
not compile show, each in a whole run, that the other variant is published all the same.
"""

from __future__ import annotations

import json

import pytest

from immutable_base.process import run
from immutable_base.tools import buildah
from support.scenario_runs import ScenarioRuns, scenario_runs

PLAIN, WITH_MODULE = "tiny", "tiny-metronome"


@pytest.fixture(scope="module")
def scenarios(lab_state) -> ScenarioRuns:
    """Sets up scenarios in the lab that all tests share, and leaves every service running."""
    with scenario_runs(lab_state) as runs:
        yield runs


@pytest.fixture(scope="module")
def tags_before(lab, tiny_night) -> dict:
    """The shared run published both."""
    return tags(lab)


def tags(lab):
    return {name: lab.registry().tags(name) for name in (PLAIN, WITH_MODULE)}


def foreseen(scenarios, name, kind, state, words):
    """Ask `doctor --online` in a scenario that is set up; return what it says of each variant."""
    done = scenarios.product(name, "doctor", "--online", "--format", "json")
    findings = json.loads(done.stdout)["online"]["findings"]
    hits = [it for it in findings if (it["kind"], it["state"]) == (kind, state)]
    assert any(words in it["message"] for it in hits), (name, findings)
    return {it["name"]: it["state"] for it in findings if it["kind"] == "variant"}


def ended(scenarios, name, *variants):
    """Run these variants, all if none is named; return the exit code, the rows and the report."""
    selected = [part for variant in variants for part in ("--variant", variant)]
    done = scenarios.product(name, "run", "--format", "json", *selected)
    assert "Traceback" not in done.stderr
    report = json.loads(done.stdout)
    return done.returncode, {it["name"]: it for it in report["variants"]}, report


@pytest.fixture(scope="module")
def held(scenarios, tags_before):
    """Neither this kernel nor another has kernel-devel: nothing fits the module."""
    scenarios.set_up("held")
    states = foreseen(scenarios, "held", "variant", "held", "held")
    assert states == {PLAIN: "ok", WITH_MODULE: "held"}
    return ended(scenarios, "held")


def test_held_is_no_failure_and_says_what_would_release_it(held):
    code, rows, _ = held
    assert code == 0
    assert {n: (it["outcome"], it["exit_code"]) for n, it in rows.items()} == {
        PLAIN: ("published", 0), WITH_MODULE: ("held", 0),
    }  # fmt: skip
    row = rows[WITH_MODULE]
    assert (row["error"], row["kernel"]) == (None, None)
    assert not row["unchanged"], "nothing was compared with what is published"
    for words in ("held: no kernel", "fits metronome", "released by: kernel-devel for "):
        assert words in row["reason"]


def test_nothing_is_built_of_what_is_held(scenarios, held):
    _, rows, report = held
    row = rows[WITH_MODULE]
    assert (row["reference"], row["tags"], row["size"]) == (None, [], 0)
    nodes = [node["id"] for node in report["nodes"]]
    assert f"publish:{PLAIN}" in nodes
    assert [node for node in nodes if WITH_MODULE in node or node.startswith("module:")] == []
    storage = buildah.Storage(run, scenarios.workspace("held") / "storage")
    names = [name for image in buildah.images(storage) for name in image.names]
    assert any(f"/{PLAIN}:" in name for name in names)
    assert not any(f"/{WITH_MODULE}:" in name for name in names)


def test_what_is_published_of_what_is_held_stays(lab, held, tags_before):
    assert tags(lab) == tags_before


NEWER = (
    "held: the base image is newer than the repositories: pendulum 0.2-1 is installed, "
    "tiny-modules offers 0.1-1"
)


@pytest.mark.parametrize(
    ("name", "foreseen_in", "foreseen_by", "held_by", "released_by"),
    [
        (
            "key-not-pinned", "key", "is not pinned",
            "held: the key `tiny-modules` is not pinned", "a pin of tiny-modules",
        ),
        (
            "base-newer-than-repositories", "variant",
            "the base image is newer than the repositories",
            NEWER, "repositories that have pendulum 0.2-1 or newer",
        ),
    ],
)  # fmt: skip
def test_what_only_others_can_change_holds_the_variant_with_the_module_alone(
    scenarios, name, foreseen_in, foreseen_by, held_by, released_by
):
    scenarios.set_up(name)
    states = foreseen(scenarios, name, foreseen_in, "held", foreseen_by)
    assert states == {PLAIN: "ok", WITH_MODULE: "held"}
    code, rows, _ = ended(scenarios, name, WITH_MODULE)
    row = rows[WITH_MODULE]
    assert (code, row["outcome"], row["exit_code"]) == (0, "held", 0)
    assert held_by in row["reason"]
    assert f"released by: {released_by}" in row["reason"]


def test_a_repository_that_does_not_answer_fails_who_needs_it(scenarios):
    scenarios.set_up("repository-down")
    states = foreseen(scenarios, "repository-down", "repository", "fault", "cannot be fetched")
    assert (states[PLAIN], states[WITH_MODULE]) == ("ok", "fault")
    code, rows, _ = ended(scenarios, "repository-down", WITH_MODULE)
    row = rows[WITH_MODULE]
    assert (code, row["outcome"], row["exit_code"]) == (6, "failed", 6)
    assert "tiny-modules" in row["error"]


def test_a_module_that_does_not_compile_fails_its_variant_alone_with_the_compilers_words(
    scenarios, lab, tags_before
):
    scenarios.set_up("module-does-not-compile")
    code, rows, _ = ended(scenarios, "module-does-not-compile")
    assert {n: (it["outcome"], it["exit_code"]) for n, it in rows.items()} == {
        PLAIN: ("published", 0), WITH_MODULE: ("failed", 5),
    }  # fmt: skip
    assert code == 5
    assert "init_timer" in rows[WITH_MODULE]["error"]
    assert tags(lab)[WITH_MODULE] == tags_before[WITH_MODULE]


@pytest.mark.alone
def test_without_a_transparency_log_nothing_is_published(scenarios, lab):
    name, before = "transparency-log-down", lab.registry().tags(PLAIN)
    scenarios.set_up(name)
    foreseen(scenarios, name, "sigstore", "fault", "cannot be fetched")
    code, rows, _ = ended(scenarios, name, PLAIN)
    assert (code, rows[PLAIN]["outcome"], rows[PLAIN]["exit_code"]) == (6, "failed", 6)
    assert lab.registry().tags(PLAIN) == before
