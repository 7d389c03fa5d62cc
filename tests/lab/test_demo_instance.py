"""`make demo-instance`, after `make try`: a newcomer may type it as often as he likes."""

import subprocess
import sys
from pathlib import Path

import pytest

from support.paths import ROOT
from support.scenario_runs import scenario_runs

pytestmark = [pytest.mark.long, pytest.mark.timeout(3600)]

PARTS = (
    "a night of demo-base", "a repository on demo-base", "the pipeline of that push", "its signature by hand",
    "the next morning, nothing new", "a new night of the base", "the morning after", "done",
)  # fmt: skip


def parts(text):
    """Return what each part of the demo printed, by its heading."""
    found = [part.partition("\n") for part in f"\n{text}".split("\n== ")[1:]]
    return {head: body for head, _, body in found}


@pytest.fixture(scope="module")
def runs(lab_folder, tiny_night, tmp_path_factory):
    """The demo, twice: the registry remembers the first."""
    folder = tmp_path_factory.mktemp("demo") / "demo-instance"
    ended = []
    with scenario_runs(lab_folder) as scenarios:
        for _ in range(2):
            # As a new shell gets it: the first token does not live for two demos.
            scenarios.set_up("tiny")
            env = dict(scenarios.environment["tiny"])
            env["PATH"] = f"{Path(sys.executable).parent}:{env['PATH']}"
            script = [ROOT / "scripts/demo-instance", folder, "--state", lab_folder]
            done = subprocess.run(script, cwd=ROOT, env=env, capture_output=True, text=True)
            ended.append(done)
            if ended[-1].returncode != 0:
                break
    return ended


def test_it_goes_through_to_the_end_and_again_when_it_is_typed_again(runs):
    assert [run.returncode for run in runs] == [0, 0], runs[-1].stdout[-4000:] + runs[-1].stderr
    for run in runs:
        heads = list(parts(run.stdout))
        assert [head.startswith(part) for head, part in zip(heads, PARTS, strict=True)] == [
            True
        ] * 8


def test_the_morning_without_anything_new_builds_nothing(runs):
    for run in runs:
        (said,) = [text for head, text in parts(run.stdout).items() if head.startswith("the next")]
        assert "nothing: base, files, age and security updates" in said
        assert said.count("not built (unchanged)") >= 4, "build, check, sbom and publish"


def test_the_morning_after_builds_because_of_the_base(runs):
    for run in runs:
        (said,) = [
            text for head, text in parts(run.stdout).items() if head.startswith("the morning")
        ]
        assert "not built" not in said
        assert " PASS  publish" in said
