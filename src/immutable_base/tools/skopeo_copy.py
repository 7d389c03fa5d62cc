"""skopeo as a carrier: images into a registry by digest, and tags onto digests.

skopeo 1.9 (Debian 12) and later push to `repository@digest` without making a tag.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from immutable_base.errors import CommandError, RemoteError
from immutable_base.process import Command, Result, Runner

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

QUICK = 120.0
"""Seconds for a request about a manifest."""
TRANSFER = 3600.0
"""Seconds for a whole image."""

# Codes of the OCI Distribution Specification 1.1, as skopeo spells them.
_NOT_THERE = ("manifest unknown", "name unknown", "repository name not known to registry")


def push(run: Runner, layout: Path, pinned: str, env: Mapping[str, str]) -> None:
    """Copy the only image of an OCI layout to `repository@sha256:...`, which makes no tag.

    Raises RemoteError with skopeo's words if the registry does not take it.
    """
    argv = (
        "skopeo",
        "copy",
        "--quiet",
        "--preserve-digests",
        f"oci:{layout}",
        f"docker://{pinned}",
    )
    _start(
        run,
        Command(argv=argv, timeout=TRANSFER, env=env),
        f"the registry did not take {pinned}",
    )


def manifest_digest(run: Runner, reference: str, env: Mapping[str, str]) -> str | None:
    """Return the digest of the manifest that a tag or digest names, None if there is none.

    It is computed from the manifest's bytes, not taken from what the registry says about them.
    Raises RemoteError if the registry does not answer.
    """
    argv = ("skopeo", "inspect", "--raw", f"docker://{reference}")
    command = Command(argv=argv, timeout=QUICK, env=env)
    try:
        raw = run(command).stdout
    except CommandError as error:
        words = (error.details or "").lower()
        if any(code in words for code in _NOT_THERE):
            return None
        msg = f"the registry did not answer for {reference}"
        raise _remote(msg, error) from error
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def move_tag(run: Runner, pinned: str, tagged: str, env: Mapping[str, str]) -> None:
    """Make `repository:tag` name the manifest of `repository@sha256:...`.

    Raises RemoteError with skopeo's words if the registry refuses.
    """
    argv = (
        "skopeo", "copy", "--quiet", "--preserve-digests", f"docker://{pinned}", f"docker://{tagged}",
    )  # fmt: skip
    _start(
        run,
        Command(argv=argv, timeout=TRANSFER, env=env),
        f"the registry did not set the tag {tagged}",
    )


def _start(run: Runner, command: Command, sentence: str) -> Result:
    try:
        return run(command)
    except CommandError as error:
        raise _remote(sentence, error) from error


def _remote(sentence: str, error: CommandError) -> RemoteError:
    return RemoteError(
        sentence,
        details=error.details or error.message,
        hint="is the registry up, is its certificate trusted, may this login write "
        "(`skopeo login`, or REGISTRY_AUTH_FILE)?",
    )
