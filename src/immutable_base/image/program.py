"""Questions to an image: its own programs, run in its mounted root."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from immutable_base.errors import CheckError, CommandError
from immutable_base.model.facts import ProgramOutput
from immutable_base.process import ANY_STATUS, Runner
from immutable_base.tools import buildah, bwrap

SUCCESS = frozenset({0})


@dataclass(frozen=True, slots=True, kw_only=True)
class MountedImage:
    """An image whose root is mounted; what its programs write there is thrown away."""

    run: Runner
    root: Path

    def ask(self, *argv: str) -> ProgramOutput:
        """Run a program whose exit status is part of the answer, and return both."""
        result = bwrap.run_in_root(self.run, self.root, argv, ok=ANY_STATUS)
        return ProgramOutput(
            status=result.status, text=f"{result.text}{result.stderr_tail}".strip()
        )

    def read(self, *argv: str, ok: frozenset[int] = SUCCESS) -> str:
        """Run a program that must succeed and have something to say; return standard output.

        Raises CheckError if its exit status is not in `ok`, or if it wrote nothing.
        """
        try:
            text = bwrap.run_in_root(self.run, self.root, argv, ok=ok).text
        except CommandError as error:
            raise CheckError(
                f"`{argv[0]}` of the image failed", details=error.details or error.message
            ) from error
        if not text.strip():
            raise CheckError(f"`{argv[0]}` of the image gave an empty answer")
        return text


@contextmanager
def mounted_image(storage: buildah.Storage, image: str) -> Iterator[MountedImage]:
    """Mount a local image for the block's time."""
    with buildah.mounted(storage, image) as root:
        yield MountedImage(run=storage.run, root=root)
