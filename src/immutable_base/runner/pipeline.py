"""Does the pipeline have the jobs that the configuration asks for?"""

from __future__ import annotations

from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base.pipeline import PLACE, pipeline_jobs


def pipeline_drift(settings: Settings, folder: Path) -> str | None:
    """Return how ci/variants.yml beside a configuration differs from it; None: not at all.

    Who has no such file has a pipeline of another kind.
    """
    path = folder / PLACE
    if not path.is_file() or path.read_text(errors="replace") == pipeline_jobs(settings):
        return None
    return f"{PLACE} has not the jobs that the configuration's variants and modules need"
