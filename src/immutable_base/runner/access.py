"""What the registry lets this login do, and whether this machine's clock is right.

To write is tried by an upload that is begun and cancelled: no blob and no tag comes of it. Source:
OCI Distribution Specification 1.1, "Pushing a blob in chunks"; Docker's registry API, "Canceling an
Upload".
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterator
from email.utils import parsedate_to_datetime

from immutable_base.errors import ImmutableBaseError
from immutable_base.model.runner import RunnerFinding, fault, fine, warning
from immutable_base.verification.client import Answer
from immutable_base.verification.registry import RegistryReader

LARGEST = 1 << 20
SLOW, WRONG = 30.0, 300.0
"""Seconds that a clock may differ before it is worth a word, and before signing may fail: a
certificate of Fulcio lives for ten minutes."""
LOGIN = (
    "log in before: `buildah login --authfile ~/.docker/config.json --username "
    '"$CI_REGISTRY_USER" --password-stdin "$CI_REGISTRY"`'
)


def look_at_registry(reader: RegistryReader, *, signs: bool, now: float) -> Iterator[RunnerFinding]:
    """Yield whether the login may read and write a repository, and what the clock says.

    A job that does not sign need not write: there it is a warning. `now` is in seconds since 1970.
    """
    try:
        answer = reader.ask("tags/list?n=1", LARGEST)
    except ImmutableBaseError as error:
        words = f"{error.message}: {error.details}" if error.details else error.message
        yield fault("registry: read", words, error.hint or LOGIN)
        return
    yield _read(reader.repository, answer)
    yield _write(reader, signs=signs)
    yield _clock(answer, now)


def _read(repository: str, answer: Answer) -> RunnerFinding:
    if answer.status == 200:
        return fine("registry: read", f"{repository} can be read")
    if answer.status == 404:
        return fine("registry: read", f"{repository} is not there yet")
    return fault("registry: read", f"it answers {answer.status} about {repository}", LOGIN)


def _write(reader: RegistryReader, *, signs: bool) -> RunnerFinding:
    bad = fault if signs else warning
    try:
        answer = reader.ask("blobs/uploads/", LARGEST, method="POST")
    except ImmutableBaseError as error:
        return bad("registry: write", error.message, error.hint or LOGIN)
    if answer.status != 202:
        words = f"it answers {answer.status} to an upload to {reader.repository}"
        return bad("registry: write", words, LOGIN)
    place = _below(reader.repository, answer.headers.get("location", ""))
    words = f"an upload to {reader.repository} was begun"
    try:
        cancelled = reader.ask(place, LARGEST, method="DELETE") if place else None
    except ImmutableBaseError:
        cancelled = None
    if cancelled is None or cancelled.status not in {200, 202, 204}:
        return fine("registry: write", f"{words}; it could not be cancelled, and will be forgotten")
    return fine("registry: write", f"{words} and cancelled")


def _below(repository: str, location: str) -> str | None:
    """Return the path of an upload below its repository; None if it is somewhere else."""
    host, _, name = repository.partition("/")
    try:
        parts = urllib.parse.urlsplit(urllib.parse.urljoin(f"https://{host}/", location))
    except ValueError:
        return None
    start = f"/v2/{name}/"
    if parts.netloc != host or not parts.path.startswith(f"{start}blobs/uploads/"):
        return None
    return parts.path.removeprefix(start) + (f"?{parts.query}" if parts.query else "")


def _clock(answer: Answer, now: float) -> RunnerFinding:
    try:
        there = parsedate_to_datetime(answer.headers["date"]).timestamp()
    except (KeyError, ValueError):
        return warning("clock", "the registry does not say what time it is", "see `timedatectl`")
    differs = abs(now - there)
    words = f"{differs:.0f} s from the registry's"
    if differs > WRONG:
        return fault("clock", words, "set this machine's clock (NTP): no signature would hold")
    if differs > SLOW:
        return warning("clock", words, "set this machine's clock (NTP)")
    return fine("clock", words)
