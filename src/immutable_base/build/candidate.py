"""A built image, left in the registry for stages on other machines."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from immutable_base.model.reference import CANDIDATE_TAG, fill_tag
from immutable_base.process import Runner
from immutable_base.tools import skopeo


def leave_candidate(
    run: Runner, layout: Path, pinned: str, env: Mapping[str, str], *, now: float
) -> str:
    """Push the image of a layout to `repository@sha256:...`, and return that.

    Its tag, of the day of `now` (in seconds since 1970), tells a registry not to collect it yet,
    and `registry prune` since when it is there; no stage asks for it by that. Raises RemoteError if
    the registry does not take it.
    """
    repository, _, digest = pinned.partition("@")
    skopeo.push(run, layout, pinned, env)
    today = datetime.fromtimestamp(now, UTC).strftime("%Y%m%d")
    tag = fill_tag(CANDIDATE_TAG, date=today, kernel="", digest=digest)
    skopeo.move_tag(run, pinned, f"{repository}:{tag}", env)
    return pinned
