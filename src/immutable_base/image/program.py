"""Programs of the image, run inside it."""

from __future__ import annotations

from dataclasses import dataclass

from immutable_base.context import Context
from immutable_base.model.facts import Answer
from immutable_base.tools import buildah

ANY = frozenset(range(256))
TIMEOUT = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Program:
    """Where programs are run: a throw-away container, without network."""

    context: Context
    container: str

    def answer(self, *argv: str) -> Answer:
        """Run a program and return what it said, whatever its exit status."""
        result = buildah.run_inside(
            self.context, self.container, argv, env={"LC_ALL": "C"}, ok=ANY, timeout=TIMEOUT
        )
        lines = result.stderr_tail.splitlines()
        # buildah's own remarks on an exit status.
        own = ("subprocess exited with status", "Error: exit status", "exit status")
        words = "\n".join(line for line in lines if not line.startswith(own))
        return Answer(status=result.status, text=f"{result.text}{words}".strip())

    def output(self, *argv: str) -> str:
        """Run a program that must succeed and return what it wrote.

        Raises CommandError.
        """
        result = buildah.run_inside(
            self.context, self.container, argv, env={"LC_ALL": "C"}, timeout=TIMEOUT
        )
        return result.text
