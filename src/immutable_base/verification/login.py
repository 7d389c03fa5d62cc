"""The registry's credentials, from the files that buildah, skopeo and cosign read."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

LARGEST_FILE = 1 << 20


def login_for(repository: str, environment: Mapping[str, str]) -> str | None:
    """Return `user:password` as base64 for a repository, None for anonymous.

    The entry of the longest prefix counts, as in containers-auth.json(5). Credential helpers are
    programs, and none is started.
    """
    for path in _files(environment):
        entries = _entries(path)
        for name in _prefixes(repository):
            entry = entries.get(name)
            found = entry.get("auth") if isinstance(entry, dict) else None
            if isinstance(found, str) and _is_login(found):
                return found
    return None


def _files(environment: Mapping[str, str]) -> Iterator[Path]:
    if environment.get("REGISTRY_AUTH_FILE"):
        yield Path(environment["REGISTRY_AUTH_FILE"])
    if environment.get("XDG_RUNTIME_DIR"):
        yield Path(environment["XDG_RUNTIME_DIR"]) / "containers/auth.json"
    home = environment.get("HOME")
    if environment.get("DOCKER_CONFIG"):
        yield Path(environment["DOCKER_CONFIG"]) / "config.json"
    elif home:
        yield Path(home) / ".docker/config.json"


def _entries(path: Path) -> dict[str, Any]:
    try:
        with path.open("rb") as file:
            document = json.loads(file.read(LARGEST_FILE))
        entries = document["auths"]
    except (OSError, ValueError, LookupError, TypeError, RecursionError):
        return {}
    return entries if isinstance(entries, dict) else {}


def _prefixes(repository: str) -> Iterator[str]:
    """Yield `host/a/b`, `host/a`, `host`, then Docker's own spellings of the host."""
    name = repository
    while "/" in name:
        yield name
        name = name.rpartition("/")[0]
    yield from (name, f"https://{name}", f"https://{name}/v2/", f"https://{name}/v1/")
    if name in {"docker.io", "index.docker.io"}:
        yield "https://index.docker.io/v1/"


def _is_login(text: str) -> bool:
    try:
        return b":" in base64.b64decode(text, validate=True)
    except ValueError:
        return False
