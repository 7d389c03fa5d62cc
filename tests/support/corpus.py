"""A part of the corpus: cases by name, each refusal with words that say why."""

from __future__ import annotations

from collections import UserDict
from collections.abc import Callable

from support.scene import OK

Case = tuple[Callable, int, str]
"""What spoils a scene, the exit code, and words of what a user sees."""


class Corpus(UserDict[str, Case]):
    """Takes no name twice, and no refusal without words: it could be one for another reason."""

    def __setitem__(self, name: str, case: Case) -> None:
        """Add a case."""
        _, code, words = case
        assert name not in self.data, f"there are two cases {name!r}"
        assert words or code == OK, f"{name!r} is refused, and nobody says why"
        super().__setitem__(name, case)
