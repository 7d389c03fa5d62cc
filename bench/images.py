"""What looking at an image costs: one question, and check and SBOM of a variant."""

from __future__ import annotations

import statistics
import time
from typing import Any

from common import CONFIG, SETTINGS, WORK, Row

from immutable_base.config.load import load_settings
from immutable_base.image.program import mounted_image
from immutable_base.model.reference import Reference
from immutable_base.process import run
from immutable_base.tls import set_up_tls
from immutable_base.tools import buildah, skopeo

QUESTIONS = 50


def question_row() -> Row:
    """Measure `rpm --query --all` of a base image: one question and its whole answer."""
    tls = set_up_tls(load_settings(CONFIG).authority(CONFIG.parent), WORK / "questions")
    storage = buildah.Storage(run, WORK / "questions" / "storage")
    environment = tls.environment
    reference = next(iter(SETTINGS["streams"].values()))["base"]
    pinned = Reference.parse(reference).pinned(skopeo.resolve(run, reference, environment).digest)
    buildah.pull(storage, pinned, environment)
    seconds = []
    with mounted_image(storage, pinned) as image:
        for _ in range(QUESTIONS):
            started = time.monotonic()
            image.read("rpm", "--query", "--all")
            seconds.append(time.monotonic() - started)
    what = f"a question to an image, median of {QUESTIONS}"
    return Row(what, statistics.median(seconds), None, "≤ 0.05 s", digits=3)


def stage_rows(report: dict[str, Any]) -> list[Row]:
    """Return check and SBOM of each variant of a night, from its run.json."""
    seconds = {node["id"]: node["seconds"] for node in report["nodes"]}
    return [
        Row(
            f"check and SBOM of `{variant['name']}` in a night",
            sum(seconds[f"{stage}:{variant['name']}"] for stage in ("inspect", "check", "sbom")),
            None,
            "≤ 5 s",
            digits=1,
        )
        for variant in report["variants"]
    ]
