"""What this host follows, what it has deployed, and how it logs in: asked of bootc and ostree."""

from __future__ import annotations

import configparser
import os
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from immutable_base.errors import CommandError, ConfigurationError, HostError
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import DIGEST, parse_json

BOOTC = "/usr/bin/bootc"
SECONDS = 30.0
"""For one answer of bootc, which asks nobody else."""
LOGINS = ("run/ostree/auth.json", "etc/ostree/auth.json", "usr/lib/ostree/auth.json")
"""Where bootc looks for the registry's login: the first one counts, and no other. Source:
crates/ostree-ext/src/globals.rs of bootc-dev/bootc."""
TRANSPORTS = (
    "ostree-unverified-registry:", "ostree-unverified-image:registry:",
    "ostree-unverified-image:docker://", "ostree-image-signed:registry:",
    "ostree-image-signed:docker://",
)  # fmt: skip
"""How an origin file begins the reference of an image in a registry. Source:
crates/ostree-ext/src/container/mod.rs of bootc-dev/bootc."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Host:
    """A host as far as admissions depend on it."""

    root: Path = Path("/")
    bootc: str = BOOTC

    def followed(self) -> str:
        """Return the reference that `bootc upgrade` would pull next.

        Raises HostError if this is no host that follows a registry, CommandError if bootc does not
        say so.
        """
        status = self._status()
        return followed_by(status) if status is not None else self._of_origin()

    def deployed(self) -> frozenset[str] | None:
        """Return the digests of everything that could be booted, None without bootc.

        Raises CommandError if bootc does not say so.
        """
        status = self._status()
        return None if status is None else deployed_by(status)

    def environment(self) -> dict[str, str]:
        """Return where the registry's login is: where bootc takes it from."""
        given = os.environ.get("REGISTRY_AUTH_FILE")
        if given:
            return {"REGISTRY_AUTH_FILE": given}
        found = next((self.root / name for name in LOGINS if (self.root / name).exists()), None)
        return {"REGISTRY_AUTH_FILE": str(found)} if found else {}

    def _status(self) -> Mapping[str, Any] | None:
        try:
            done = subprocess.run(
                [self.bootc, "status", "--json", "--format-version=1"],  # not the newest form
                stdin=subprocess.DEVNULL,
                capture_output=True,
                timeout=SECONDS,
                check=False,
                env={"PATH": "/usr/bin:/usr/sbin", "LC_ALL": "C.UTF-8"},
            )
        except FileNotFoundError:
            return None
        except (OSError, subprocess.TimeoutExpired) as error:
            raise CommandError(
                "bootc cannot be asked what this host follows", details=str(error)
            ) from error
        words = done.stderr.decode("utf-8", "replace")[-2000:]
        if done.returncode != 0:
            raise CommandError("`bootc status --json` failed", details=words)
        try:
            found = parse_json(done.stdout, "the answer of bootc")
        except Skipped as one:
            raise CommandError(one.reason, details=words) from one
        if not isinstance(found, dict):
            raise CommandError("the answer of bootc is not an object")
        return found

    def _of_origin(self) -> str:
        """Return what the origin file of the booted deployment names."""
        try:
            words = (self.root / "proc/cmdline").read_text().split()
            boot = next(word[7:] for word in words if word.startswith("ostree="))
            folder = (self.root / boot.lstrip("/")).resolve(strict=True)
            parser = configparser.ConfigParser(interpolation=None, strict=True)
            parser.read_string(folder.with_name(f"{folder.name}.origin").read_text())
            text = parser["origin"]["container-image-reference"]
        except (OSError, StopIteration, ValueError, LookupError, configparser.Error) as error:
            raise HostError(
                "this host does not say which image it follows: there is no bootc, and no origin "
                "of ostree",
                hint="name it: `immutable-base-admission admit registry/path:tag`",
            ) from error
        for transport in TRANSPORTS:
            if text.startswith(transport):
                return text.removeprefix(transport)
        raise _no_registry(text)


def followed_by(status: Mapping[str, Any]) -> str:
    """Return the reference that a host's specification names; `status` is of `bootc status --json`.

    Raises HostError if it is none in a registry, CommandError if the form is not understood.
    """
    try:
        image = status["spec"]["image"]
        if image is None:
            raise HostError(
                "this host follows no image",
                hint="name one: `immutable-base-admission admit registry/path:tag`",
            )
        reference, transport = image["image"], image["transport"]
    except (LookupError, TypeError) as error:
        raise _not_understood(error) from error
    if transport != "registry":
        raise _no_registry(f"{transport}:{reference}")
    return str(reference)


def deployed_by(status: Mapping[str, Any]) -> frozenset[str]:
    """Return the digests of all deployments; raises CommandError if the form is not understood."""
    try:
        return frozenset(_digests(status["status"]))
    except (LookupError, TypeError, AttributeError) as error:
        raise _not_understood(error) from error


def _digests(status: Mapping[str, Any]) -> Iterator[str]:
    entries = [status["booted"], status.get("staged"), status.get("rollback")]
    for entry in (*entries, *(status.get("otherDeployments") or ())):
        if entry is None or entry.get("image") is None:
            continue
        digest = entry["image"]["imageDigest"]
        if DIGEST.fullmatch(digest) is None:
            raise LookupError("imageDigest")
        yield digest


def _not_understood(error: Exception) -> CommandError:
    return CommandError(
        "`bootc status --json` has a form that was not foreseen",
        details=f"{type(error).__name__}: {error}",
    )


def _no_registry(text: str) -> ConfigurationError:
    return ConfigurationError(
        f"this host follows {text}, which is no image in a registry: nothing can be admitted",
        hint="`bootc switch` to an image in a registry",
    )
