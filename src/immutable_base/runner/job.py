"""What a job's variables and its identity token say; pure.

Source of the variables: https://docs.gitlab.com/ci/variables/predefined_variables/
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path

from immutable_base.errors import ImmutableBaseError
from immutable_base.model.reference import DIGEST
from immutable_base.model.runner import RunnerFinding, fault, fine, warning
from immutable_base.sign import MARGIN, STANZA, TOKEN_VARIABLE, check_claims, decode_claims
from immutable_base.verification.policy import Signer

SHORT = 3600
"""Seconds that a project's jobs may take unless it says otherwise. Source:
https://docs.gitlab.com/ci/pipelines/settings/, "Set a limit for how long jobs can run"."""
RUNNER_VARIABLE = "IMMUTABLE_BASE_RUNNER"
"""The tag that the pipeline's jobs ask for."""
TOO_SMALL = "saas-linux-small-amd64"
"""GitLab.com's default among its hosted runners, with 30 GB of disk."""
FIX_OF_TAGS = f"let the jobs' `tags` be [${RUNNER_VARIABLE}], and name a tag of your runner by it"
OF_A_CONTAINER = frozenset({"overlay", "aufs"})
"""File systems of a container itself: buildah can put no overlay of its own on them."""


def look_at_job(
    environment: Mapping[str, str], signer: Signer, *, now: float, protected_ref: bool
) -> Iterator[RunnerFinding]:
    """Yield what the variables of a job say; `now` is in seconds since 1970."""
    if environment.get("GITLAB_CI") != "true":
        yield warning(
            "job", "this is no GitLab job: there are no variables to look at",
            "run it in the job that will run the night",
        )  # fmt: skip
    else:
        yield _protected(environment)
        yield _timeout(environment)
        yield _tags(environment)
        if environment.get("CI_JOB_IMAGE"):
            yield _image(environment["CI_JOB_IMAGE"])
    yield _token(environment, signer, now=now, protected_ref=protected_ref)


def signs(environment: Mapping[str, str]) -> bool:
    """Tell whether this job has what signing needs."""
    return bool(environment.get(TOKEN_VARIABLE, "").strip())


def _protected(environment: Mapping[str, str]) -> RunnerFinding:
    name = environment.get("CI_COMMIT_REF_NAME", "")
    if environment.get("CI_COMMIT_REF_PROTECTED") == "true":
        return fine("protected ref", f"{name} is protected")
    return warning(
        "protected ref", f"{name or 'this ref'} is not protected: what is signed here is not ours",
        "protect the branch (Settings > Repository > Protected branches); sign on it only",
    )  # fmt: skip


def _image(image: str) -> RunnerFinding:
    """Return whether the job's own image is a fixed one: it gets the identity token in its hands.

    By default whoever is a developer may push to every repository of a project's registry. Source:
    GitLab, "Protected container tags".
    """
    if DIGEST.fullmatch(image.rpartition("@")[2]):
        return fine("job image", "it is named by its digest")
    return warning(
        "job image", f"{image} is a tag: whoever may push there can sign as this project",
        "name it by digest (IMMUTABLE_BASE_CI_IMAGE, or the template's input `image`), or protect "
        "its repository: Settings > Packages and registries",
    )  # fmt: skip


def _timeout(environment: Mapping[str, str]) -> RunnerFinding:
    seconds = _seconds(environment.get("CI_JOB_TIMEOUT", ""))
    if seconds is None:
        return warning("timeout", "CI_JOB_TIMEOUT says nothing", "set the job's `timeout: 3h`")
    words = f"the job may take {seconds // 60} minutes"
    if seconds <= SHORT:
        return warning("timeout", f"{words}: a whole night takes longer", "set `timeout: 3h`")
    return fine("timeout", words)


def _tags(environment: Mapping[str, str]) -> RunnerFinding:
    """Return whether the job is on a runner with the tag that it asks for, and with enough disk.

    The runner's are a JSON array. Source: GitLab, "Predefined variables", CI_RUNNER_TAGS.
    """
    try:
        tags = json.loads(environment.get("CI_RUNNER_TAGS", ""))
    except ValueError:
        tags = None
    if not isinstance(tags, list):
        return warning("runner tags", "CI_RUNNER_TAGS says nothing", FIX_OF_TAGS)
    words = f"this runner has {', '.join(map(str, tags)) or 'none'}"
    wanted = environment.get(RUNNER_VARIABLE, "")
    if wanted and wanted not in tags:
        return warning("runner tags", f"{words}; the jobs ask for {wanted}", FIX_OF_TAGS)
    if TOO_SMALL in tags:
        return warning(
            "runner tags", f"{words}: its disk of 30 GB is at its edge with all variants",
            f"name a larger one by {RUNNER_VARIABLE}: saas-linux-medium-amd64",
        )  # fmt: skip
    return fine("runner tags", words)


def _token(
    environment: Mapping[str, str], signer: Signer, *, now: float, protected_ref: bool
) -> RunnerFinding:
    if not signs(environment):
        return warning(
            "identity token", "there is none: this job can build and check, and not sign",
            f"give `{STANZA}` to the jobs that publish, and to no other",
        )  # fmt: skip
    try:
        claims = decode_claims(environment[TOKEN_VARIABLE].strip())
        check_claims(claims, signer=signer, now=now, protected_ref=protected_ref)
    except ImmutableBaseError as error:
        details = f": {'; '.join(error.details.splitlines())}" if error.details else ""
        return fault("identity token", f"{error.message}{details}", error.hint or f"`{STANZA}`")
    ends = _end(environment)
    if ends is not None and claims.exp + MARGIN < ends:
        return warning(
            "identity token",
            f"it expires {(ends - claims.exp) / 60:.0f} minutes before the job's timeout",
            "publish in a job of its own, whose token is new",
        )
    return fine("identity token", f"it is {signer.identity}'s")


def _end(environment: Mapping[str, str]) -> float | None:
    """Return when the job will be ended, in seconds since 1970; None if that is not known."""
    seconds = _seconds(environment.get("CI_JOB_TIMEOUT", ""))
    try:
        started = datetime.fromisoformat(environment.get("CI_JOB_STARTED_AT", ""))
    except ValueError:
        return None
    return None if seconds is None or started.tzinfo is None else started.timestamp() + seconds


def _seconds(text: str) -> int | None:
    return int(text) if re.fullmatch("[0-9]{1,9}", text) else None


def look_at_volume(mountinfo: str, folder: Path) -> RunnerFinding:
    """Return on which kind of file system a folder is, by the text of /proc/self/mountinfo.

    Whether buildah can work there is tried elsewhere, by a mount. Source: proc_pid_mountinfo(5).
    """
    found = max(
        (it for it in map(_mount, mountinfo.splitlines()) if it and folder.is_relative_to(it[0])),
        key=lambda it: len(it[0].parts),
        default=None,
    )
    if found is None:
        return warning("volume", f"it is not known on what {folder} is", "see `findmnt`")
    if found[1] in OF_A_CONTAINER:
        return warning(
            "volume", f"{folder} is on the container's own file system ({found[1]})",
            "let the workspace be below $CI_PROJECT_DIR, and the runner's builds_dir on a volume",
        )  # fmt: skip
    return fine("volume", f"{folder} is on {found[1]}, mounted at {found[0]}")


def _mount(line: str) -> tuple[Path, str] | None:
    """Return where a line of mountinfo mounts what kind of file system."""
    head, dash, tail = line.partition(" - ")
    fields, kinds = head.split(), tail.split()
    if not dash or len(fields) < 5 or not kinds:
        return None
    place = re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4])
    return Path(place), kinds[0]
