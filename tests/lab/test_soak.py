"""One run of the tiny stream after another: each ends alike, and not one is a flake.

`make test` has two; `make soak` says by $IMMUTABLE_BASE_SOAK_NIGHTS that it wants twenty.
"""

from __future__ import annotations

import json
import os
from collections import Counter

from support.scenario_runs import scenario_runs

NIGHTS = int(os.environ.get("IMMUTABLE_BASE_SOAK_NIGHTS", "2"))


def test_every_run_ends_alike(lab_folder):
    verdicts: Counter[tuple[str, str, str]] = Counter()
    troubles, seconds = [], []
    with scenario_runs(lab_folder) as runs:
        for night in range(NIGHTS):
            # As a new job gets it: a token does not live for twenty runs.
            runs.set_up("tiny")
            done = runs.product("tiny", "run", "--format", "json")
            if done.returncode != 0:
                troubles.append(f"run {night + 1}: {done.returncode}\n{done.stderr[-3000:]}")
            report = json.loads(done.stdout) if done.stdout else {"variants": [], "seconds": 0}
            seconds.append(report["seconds"])
            for row in report["variants"]:
                digest = str(row["reference"]).partition("@")[2]
                verdicts[row["name"], row["outcome"], digest] += 1
    print(f"{NIGHTS} runs, {min(seconds)} to {max(seconds)} s each:")
    for (name, outcome, digest), count in sorted(verdicts.items()):
        print(f"{count:4} {name} {outcome} {digest}")
    assert troubles == []
    assert {(name, outcome) for name, outcome, _ in verdicts} == {
        ("tiny", "published"), ("tiny-metronome", "published"),
    }  # fmt: skip
    assert set(verdicts.values()) == {NIGHTS}, "the same inputs gave more than one digest"
