"""Is the pipeline's list of variants the one that the configuration asks for?"""

from __future__ import annotations

from pathlib import Path

from immutable_base.config.schema import Settings


def pipeline_drift(_settings: Settings, _folder: Path) -> str | None:
    """Return how `ci/variants.yml` differs from what the configuration asks for; None: not at all.

    Nothing writes that file yet.
    """
    return None
