"""Which jobs our pipelines start, for each event: as recorded, in files that a review can read."""

import json
import shutil
import subprocess
import sys

import pytest

from support.paths import ROOT

pytestmark = pytest.mark.apart

EVENTS = ("schedule", "push", "tag", "merge-request", "manual")
HOW = "if it is meant: `.venv/bin/python scripts/record_pipelines.py` records it"


def compared(lab_folder, checkout=ROOT):
    argv = (
        sys.executable, ROOT / "scripts/record_pipelines.py", "--check",
        "--state", lab_folder, "--checkout", checkout,
    )  # fmt: skip
    return subprocess.run(argv, capture_output=True, text=True, check=False)


def test_each_event_starts_the_jobs_that_are_recorded(lab_folder):
    done = compared(lab_folder)
    assert done.returncode == 0, f"{done.stderr}{done.stdout}\n{HOW}"


def test_a_pipeline_that_starts_for_another_event_shows(lab_folder, tmp_path):
    for name in ("ci", "templates", "instance"):
        shutil.copytree(ROOT / name, tmp_path / name)
    shutil.copy(ROOT / ".gitlab-ci.yml", tmp_path)
    template = tmp_path / "templates/instance.yml"
    before = '"push" && $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH'
    assert before in template.read_text()
    template.write_text(template.read_text().replace(before, '"push"'))
    done = compared(lab_folder, tmp_path)
    assert done.returncode == 1, done.stderr
    differing = [line for line in done.stdout.splitlines() if line.startswith("+++")]
    assert differing == ["+++ now/instance-tag.json"]


@pytest.mark.parametrize("pipeline", ["nightly", "instance"])
def test_every_event_is_recorded_and_a_tag_starts_nothing(pipeline):
    folder = ROOT / "tests/lab/snapshots"
    found = {
        event: json.loads((folder / f"{pipeline}-{event}.json").read_text()) for event in EVENTS
    }
    assert found["tag"] == {}
    assert all(found[event] for event in EVENTS if event != "tag")
    assert not any(name.startswith("publish") for name in found["merge-request"])
