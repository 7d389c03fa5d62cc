"""What GitLab does for `id_tokens`, and gitlab-ci-local does not: a token for each job that asks.

gitlab-ci-local reads `.gitlab-ci-local.yml` over a pipeline's own file. Each job gets its tokens as
variables of its own there, and no other job has them.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ruamel.yaml import YAML

OVERLAY = ".gitlab-ci-local.yml"


def overlay(preview: str, make_token: Callable[[str], str]) -> str:
    """Return the text of `.gitlab-ci-local.yml` for an expanded pipeline (YAML).

    `make_token(audience)` returns a token for this pipeline. The text is JSON, which is YAML.
    """
    jobs = _jobs(preview)
    found = {name: _tokens(job, make_token) for name, job in jobs.items()}
    return json.dumps({name: {"variables": tokens} for name, tokens in found.items() if tokens})


def _jobs(preview: str) -> dict[str, Mapping[str, Any]]:
    document = YAML(typ="safe").load(preview)
    return {name: job for name, job in document.items() if isinstance(job, Mapping)}


def _tokens(job: Mapping[str, Any], make_token: Callable[[str], str]) -> dict[str, str]:
    asked = job.get("id_tokens")
    asked = asked if isinstance(asked, Mapping) else {}
    return {name: make_token(str(token["aud"])) for name, token in asked.items()}
