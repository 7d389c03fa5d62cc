"""Does the pipeline have the jobs that the configuration asks for?"""

from __future__ import annotations

from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base.errors import ConfigurationError
from immutable_base.pipeline import PLACE, pipeline_jobs


def pipeline_drift(settings: Settings, folder: Path) -> str | None:
    """Return how ci/variants.yml beside a configuration differs from it; None: not at all.

    Who has no such file has a pipeline of another kind.
    """
    path = folder / PLACE
    if not path.is_file():
        return None
    try:
        if path.read_text(errors="replace") == pipeline_jobs(settings):
            return None
    except ConfigurationError as error:
        return error.message
    return f"{PLACE} has not the jobs that the configuration's variants and modules need"
