"""The tiny stream: a run in one process, against the same in separate commands."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

from common import CONFIG, ROOT, TINY, WORK, Row, product, timed
from hosts import boot_share_row
from nights import night

STAGES = (
    ("plan", "--save"), ("build",), ("inspect",), ("check",), ("sbom",), ("boot",), ("publish",), ("report",),
)  # fmt: skip
STAGED = WORK / "stages"
"""Workspace of the separate commands."""


def tiny_rows() -> list[Row]:
    """Measure both ways from nothing; they must end in the same images."""
    # The lab is no part of what is measured.
    lab = (sys.executable, "-m", "immutable_base", "lab")
    timed(*lab, "scenario", "tiny", "--state", str(CONFIG.parent))
    seconds, report = night(TINY, (), workers=2)
    apart = sum(product(*stage, workspace=STAGED, config=TINY) for stage in STAGES)
    for row in report["variants"]:
        document = STAGED / "tonight" / "publish" / f"{row['name']}.json"
        if not row["reference"].endswith(json.loads(document.read_text())["digest"]):
            raise SystemExit(f"separate commands gave another image: {row['name']}")
    return [
        Row("a night on the tiny stream (two variants, one module)", seconds, None, "< 90 s", 0),
        Row("its stages as separate commands, against one run", apart, seconds, "-", 0),
        boot_share_row(report, "that night", aim="-"),
    ]


def wheel_row() -> Row:
    """Measure the size of the product's wheel."""
    folder = WORK / "wheel"
    shutil.rmtree(folder, ignore_errors=True)
    # From a copy: setuptools leaves a build folder beside the sources.
    timed("git", "clone", "--quiet", str(ROOT), str(folder / "source"))
    wheel = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    timed(*wheel, "--wheel-dir", str(folder), str(folder / "source"))
    (file,) = Path(folder).glob("*.whl")
    return Row("the wheel", file.stat().st_size / 1024, None, "-", 0, "KiB")
