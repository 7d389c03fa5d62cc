"""Documents that rest on each other, in one folder: read only if what they rest on is unchanged."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.model.document import (
    SCHEMA_VERSION,
    AnyDocument,
    Frozen,
    StageDocument,
    read_document,
)
from immutable_base.workspace import file_digest, write_atomically

SHOWN = 500
"""Characters of a parser's complaint that an error shows."""

AnyStage = TypeVar("AnyStage", bound=StageDocument)


@dataclass(frozen=True, slots=True)
class DocumentFolder:
    """A folder of documents. What cannot be relied on is an error, by name.

    That is a ConfigurationError if a document is missing, not whole or of another release, and a
    VerificationError if it rests on another document than the one that is here.
    """

    folder: Path

    def command_of(self, name: str) -> str:
        """Return the command that makes a document."""
        raise NotImplementedError(name)

    def write(self, name: str, document: Frozen) -> Path:
        """Write a document and return its path."""
        path = self.folder / name
        write_atomically(path, document.to_json())
        return path

    def resting_on(self, kind: type[AnyStage], name: str, needs: Iterable[str]) -> AnyStage:
        """Return a document that rests on exactly these, as they are here."""
        found, here = self.parse(kind, name), self.digests(needs)
        changed = sorted(
            other for other in found.rests_on | here if found.rests_on.get(other) != here.get(other)
        )
        if changed:
            raise VerificationError(
                f"{self.folder / name} rests on another {' and another '.join(changed)}",
                details="\n".join(
                    _changed(other, found.rests_on.get(other), here.get(other)) for other in changed
                ),
                hint="was it changed, or is it of another run? "
                f"`{self.command_of(name)}` makes it again",
            )
        return found

    def digests(self, names: Iterable[str]) -> dict[str, str]:
        """Return the SHA-256 of documents, by name."""
        return {name: file_digest(self._existing(name)) for name in names}

    def require_digest(self, path: Path, expected: str) -> None:
        """Require that a file of the folder has this SHA-256."""
        name = str(path.relative_to(self.folder))
        found = file_digest(self._existing(name))
        if found != expected:
            raise VerificationError(
                f"{path} was changed since it was made",
                details=f"sha256 {expected} then, {found} now",
                hint=f"make it again: `{self.command_of(name)}`",
            )

    def _existing(self, name: str) -> Path:
        path = self.folder / name
        if not path.is_file():
            raise ConfigurationError(
                f"there is no {path}",
                hint=f"`{self.command_of(name)}` makes it; "
                "or copy it from the machine that made it",
            )
        return path

    def parse(self, kind: type[AnyDocument], name: str) -> AnyDocument:
        """Return a document, whatever it rests on."""
        path = self._existing(name)
        text = path.read_bytes()
        try:
            return read_document(kind, text)
        except ValueError as error:  # pydantic's errors are ValueErrors
            newer = _schema_version(text) > SCHEMA_VERSION
            what = "was written by a newer release" if newer else "is not a whole, valid document"
            raise ConfigurationError(
                f"{path} {what}", details=str(error)[:SHOWN],
                hint="use that release" if newer else f"make it again: `{self.command_of(name)}`",
            ) from error  # fmt: skip


def _changed(name: str, then: str | None, now: str | None) -> str:
    if then is None:
        return f"{name}: it does not name this one"
    if now is None:
        return f"{name}: it names this one, on which it cannot rest"
    return f"{name}: {then} then, {now} now"


def _schema_version(text: bytes) -> int:
    try:
        version = json.loads(text)["schema_version"]
    except (ValueError, TypeError, LookupError, RecursionError):
        return 0
    return version if isinstance(version, int) else 0
