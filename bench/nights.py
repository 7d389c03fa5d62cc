"""Whole nights: against the variants one after another, and against the bare compiles in them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from common import CONFIG, WORK, Row, processor_seconds, product

from support.changed_configuration import ONE_KERNEL, change_configuration

NIGHT = WORK / "night"
"""Workspace of the last one."""


def night(config: Path, names: tuple[str, ...], workers: int) -> tuple[float, dict[str, Any]]:
    """Run a night from nothing; return its seconds and its run.json."""
    shutil.rmtree(NIGHT, ignore_errors=True)
    document = WORK / "night.json"
    arguments = ["run", "--format", "json", "--output", str(document), "--workers", str(workers)]
    for name in names:
        arguments += ["--variant", name]
    seconds = product(*arguments, workspace=NIGHT, config=config)
    return seconds, json.loads(document.read_text())


def digests(report: dict[str, Any]) -> dict[str, str]:
    """Return the digest of each variant of a night."""
    return {it["name"]: it["reference"].partition("@")[2] for it in report["variants"]}


def bare_compiles(report: dict[str, Any]) -> float:
    """Return the processor seconds of every `dkms build` of a night."""
    documents = Path(report["documents"]).glob("modules/*/build.json")
    return sum(float(json.loads(path.read_text())["processor_seconds"]) for path in documents)


def alone(config: Path, names: tuple[str, ...]) -> tuple[float, dict[str, str]]:
    """Run each variant by itself, one after another and nothing at once, as v1.0.0's pipelines do."""
    total: float = 0
    found: dict[str, str] = {}
    for name in names:
        seconds, report = night(config, (name,), workers=1)
        total, found = total + seconds, found | digests(report)
    return total, found


def one_kernel() -> Path:
    """Return a configuration in which both variants with modules land on one kernel."""
    folder = WORK / "one-kernel"
    folder.mkdir()
    return change_configuration(CONFIG, folder, ONE_KERNEL)


def shared_night(
    what: str,
    config: Path,
    names: tuple[str, ...],
    *,
    look: Callable[[dict[str, Any]], list[Row]] = lambda _: [],
) -> list[Row]:
    """Measure one night for all `names`; both ways must end in the same images.

    `look` adds to it: it gets the night's run.json, and finds in its workspace what it has left.
    """
    before = processor_seconds()
    shared, report = night(config, names, workers=2)
    processor, compiles = processor_seconds() - before, bare_compiles(report)
    seen = look(report)
    apart, by_itself = alone(config, names)
    together = digests(report)
    different = [name for name, digest in together.items() if by_itself[name] != digest]
    if different:
        raise SystemExit(f"the same inputs gave another image: {', '.join(different)}")
    return [
        *seen,
        Row(what, shared, apart, "≤ 0.6", digits=0),
        Row(f"{what}: processor time against the compiles in it", processor, compiles, "≤ 1.25", 0),
    ]
