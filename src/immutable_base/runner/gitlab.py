"""Is GitLab's own cleanup of the container registry off? It goes by the age of images.

Source: https://docs.gitlab.com/api/projects/, "Retrieve a project": `container_expiration_policy`.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping

from immutable_base.errors import ImmutableBaseError
from immutable_base.model.runner import RunnerFinding, fault, fine, warning
from immutable_base.verification.client import Client
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import parse_json, require_object

NAME = "cleanup policy"
TOKEN = "GITLAB_TOKEN"  # noqa: S105  the name of a variable, not its value
LARGEST = 1 << 20
HOW = "docs/how-to/prune-the-registry.md"
SEE = f"see Settings > Packages and registries, or {HOW}"
_ID = re.compile(r"[0-9]{1,18}")
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,1024}")


def look_at_cleanup(client: Client, environment: Mapping[str, str]) -> RunnerFinding:
    """Return whether the project's cleanup policy is off, as far as GitLab tells."""
    api, project = environment.get("CI_API_V4_URL", ""), environment.get("CI_PROJECT_ID", "")
    token = environment.get(TOKEN, "").strip()
    if not api or not _ID.fullmatch(project):
        return warning(NAME, "it could not be asked: this is no GitLab job", SEE)
    if not _TOKEN.fullmatch(token):
        return warning(
            NAME, f"it could not be asked: {TOKEN} holds no token",
            f"give the job a token that may read the project's settings, or {SEE}",
        )  # fmt: skip
    url = f"{api.rstrip('/')}/projects/{urllib.parse.quote(project)}"
    try:
        answer = client.get(url, {"Authorization": f"Bearer {token}"}, LARGEST)
    except ImmutableBaseError as error:
        return warning(NAME, f"it could not be asked: {error.message}", SEE)
    if answer.status != 200:
        return warning(NAME, f"it could not be asked: GitLab answers {answer.status}", SEE)
    return _judge(answer.body)


def _judge(body: bytes) -> RunnerFinding:
    try:
        document = require_object(parse_json(body, "the project"), "the project")
        policy = require_object(document.get("container_expiration_policy"), "its cleanup policy")
    except Skipped:
        return warning(NAME, "GitLab does not say whether it is off", SEE)
    if policy.get("enabled") is False:
        return fine(NAME, "GitLab deletes nothing by age")
    if policy.get("enabled") is True:
        return fault(
            NAME,
            "GitLab deletes tags by the age of their images: signatures and bases in use, too",
            f"switch it off: {HOW}; `immutable-base registry prune` knows what is in use",
        )
    return warning(NAME, "GitLab does not say whether it is off", SEE)
