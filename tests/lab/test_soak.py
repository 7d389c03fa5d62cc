"""One run of the tiny stream after another: each ends alike, and not one is a flake.

`make soak` says by $IMMUTABLE_BASE_SOAK_NIGHTS that it wants twenty. The first is the run that all
tests share, and `make test` has no other: a second run of the same inputs, in another workspace, is
in test_night_bad.py.
"""

from __future__ import annotations

import json
import os
from collections import Counter

from support.scenario_runs import scenario_runs

NIGHTS = int(os.environ.get("IMMUTABLE_BASE_SOAK_NIGHTS", "1"))


def test_every_run_ends_alike(lab_folder, tiny_night):
    reports, troubles = [tiny_night.report], []
    with scenario_runs(lab_folder) as runs:
        for night in range(2, NIGHTS + 1):
            # As a new job gets it: a token does not live for twenty runs.
            runs.set_up("tiny")
            done = runs.product("tiny", "run", "--format", "json")
            if done.returncode != 0:
                troubles.append(f"run {night}: {done.returncode}\n{done.stderr[-3000:]}")
            reports.append(
                json.loads(done.stdout) if done.stdout else {"variants": [], "seconds": 0}
            )
    verdicts = Counter(
        (row["name"], row["outcome"], str(row["reference"]).partition("@")[2])
        for report in reports
        for row in report["variants"]
    )
    seconds = [report["seconds"] for report in reports]
    print(f"{NIGHTS} runs, {min(seconds)} to {max(seconds)} s each:")
    for (name, outcome, digest), count in sorted(verdicts.items()):
        print(f"{count:4} {name} {outcome} {digest}")
    assert troubles == []
    assert {(name, outcome) for name, outcome, _ in verdicts} == {
        ("tiny", "published"), ("tiny-metronome", "published"),
    }  # fmt: skip
    assert set(verdicts.values()) == {NIGHTS}, "the same inputs gave more than one digest"
