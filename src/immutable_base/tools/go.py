"""go: the toolchain that builds pinned modules."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import CommandError, RemoteError, VerificationError
from immutable_base.process import Command, Runner
from immutable_base.tools.pins import Version, parse_version

TIMEOUT = 3600.0
"""Seconds; cosign takes three minutes on two idle cores, and its modules are 400 MB."""
REGISTRY_VARIABLES = ("GOPROXY", "GONOSUMDB", "GOSUMDB")
"""Of Go's environment only these come from the caller."""
# `go help module-auth`: a module differs from go.sum or from the checksum database.
_NOT_THE_SAME = ("SECURITY ERROR", "checksum mismatch")
# Go when the registry of modules gives nothing; compiling was not even tried.
_NOT_REACHED = ("dial tcp", "i/o timeout", "no such host", "proxyconnect", "502 Bad Gateway")


@dataclass(frozen=True, slots=True, kw_only=True)
class GoModule:
    """A downloaded module."""

    sum: str
    """Hash of its zip, as in go.sum."""
    folder: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Go:
    """A toolchain, and a folder below which it may write."""

    run: Runner
    program: str
    folder: Path

    def download(self, module: str, version: str) -> GoModule:
        """Download one module into the folder.

        Raises VerificationError if the checksum database knows another one by that name,
        RemoteError if it cannot be downloaded.
        """
        sentence = f"{module} {version} could not be downloaded"
        text = self._go(sentence, "mod", "download", "-json", f"{module}@{version}")
        try:
            facts = json.loads(text)
            return GoModule(sum=facts["Sum"], folder=Path(facts["Dir"]))
        except (ValueError, KeyError, TypeError) as error:
            raise CommandError(
                f"`go mod download -json` wrote something unexpected: {error!r}",
                details=text[:2000],
            ) from error

    def build(self, source: Path, package: str, target: Path, *, stamp: str) -> None:
        """Compile one program of the module in `source` with the dependencies of its own go.sum.

        `stamp` is `variable=value`, for the linker. Raises VerificationError if a dependency is not
        the one in go.sum, RemoteError if one cannot be downloaded, CommandError if it does not
        compile.
        """
        self._go(
            f"{target.name} could not be built",
            "build",
            "-mod=readonly",
            "-trimpath",
            "-buildvcs=false",
            f"-ldflags=-s -w -X {stamp}",
            f"-o={target}",
            f"./{package}",
            cwd=source,
        )

    def _go(self, sentence: str, *arguments: str, cwd: Path | None = None) -> str:
        command = Command(
            argv=(self.program, *arguments),
            cwd=cwd or self.folder,
            env=self._environment(),
            timeout=TIMEOUT,
        )
        try:
            return self.run(command).text
        except CommandError as error:
            output = error.details or error.message
            if any(text in output for text in _NOT_THE_SAME):
                raise VerificationError(
                    f"{sentence}: a module is not the one that its sum names", details=output
                ) from error
            if arguments[0] == "mod" or any(text in output for text in _NOT_REACHED):
                raise RemoteError(
                    sentence,
                    details=output,
                    hint="is the registry of Go modules in reach (GOPROXY)? Run it again",
                ) from error
            raise CommandError(sentence, details=output) from error

    def _environment(self) -> Mapping[str, str]:
        return {
            **registry_variables(),
            # Never download another toolchain.
            "GOTOOLCHAIN": "local",
            # In place of a user's flags, which would end up in the program. Without this one Go
            # makes its folders of modules read-only, so that only root could remove them.
            "GOFLAGS": "-modcacherw",
            "GOWORK": "off",
            "CGO_ENABLED": "0",
            "GOPATH": str(self.folder / "path"),
            "GOMODCACHE": str(self.folder / "modules"),
            "GOCACHE": str(self.folder / "cache"),
        }


def registry_variables() -> Mapping[str, str]:
    """Return how this machine reaches Go's modules: the caller's variables about it."""
    return {name: os.environ[name] for name in REGISTRY_VARIABLES if name in os.environ}


def go_version(run: Runner, program: str) -> Version:
    """Return the version of a toolchain; raises CommandError if it cannot tell."""
    command = Command(argv=(program, "env", "GOVERSION"), timeout=30, env={"GOTOOLCHAIN": "local"})
    return parse_version(program, run(command).text.partition(" ")[0])
