"""Whether another run has published newer inputs meanwhile."""

from __future__ import annotations

import math
import os
import time
from collections.abc import Collection, Mapping
from datetime import datetime

from immutable_base.errors import RemoteError
from immutable_base.publish.followed import Followed
from immutable_base.publish.request import PublishRequest
from immutable_base.tools import skopeo
from immutable_base.verification.verify_image import moment

LONGEST_RUN = 86400
"""Seconds; GitLab ends a job after a day at the latest."""


def refuse_overtaken(request: PublishRequest, followed: Collection[Followed]) -> None:
    """Refuse to move a tag back to older inputs while a newer run's image is fresh.

    Two machines may build at once, and the slower one may have the older plan. An image that was
    signed longer ago than any run takes is no rival: upstream may take its packages back. In a
    pipeline everything is one that was signed since it began: somebody may start its job again.
    Raises RemoteError.
    """
    recent = min(time.time() - LONGEST_RUN, pipeline_began(os.environ))
    for it in followed:
        if it.signed_at > recent and skopeo.seconds(it.created) > request.epoch:
            raise RemoteError(
                f"another run has published newer inputs: {it.names} of {request.repository}",
                details=f"{it.digest}, made {it.created}, signed {moment(it.signed_at)}",
                hint="nothing was written and no tag was moved; plan and run again",
            )


def pipeline_began(environment: Mapping[str, str]) -> float:
    """Return when this job's pipeline was made, in seconds since 1970; infinite if nobody says.

    Source: GitLab, predefined variables, `CI_PIPELINE_CREATED_AT` (ISO 8601).
    """
    try:
        found = datetime.fromisoformat(environment.get("CI_PIPELINE_CREATED_AT", ""))
    except ValueError:
        return math.inf
    return found.timestamp() if found.tzinfo else math.inf
