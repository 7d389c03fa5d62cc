"""Tags: read them, and move all of them or none."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from immutable_base.errors import ImmutableBaseError, RemoteError
from immutable_base.model.publish import Tag
from immutable_base.process import Runner
from immutable_base.tools import skopeo

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class TagMover:
    """The tags of one repository."""

    run: Runner
    environment: Mapping[str, str]
    repository: str

    def read(self, names: Sequence[str]) -> dict[str, str | None]:
        """Return the digest of each tag, None for one that is not there."""
        return {name: self._read(name) for name in names}

    def move(self, before: Mapping[str, str | None], digest: str) -> tuple[Tag, ...]:
        """Make every tag of `before` name `digest` and read it back.

        Tags that are new go first, those that hosts follow already last. Each is read again right
        before it is set: one that another run has moved since `before` is left alone, and is an
        error. If one fails, those that this run has set go back to where they were, unless another
        run has moved them on; a new one cannot be taken back everywhere, but it names a digest that
        has been verified.

        Raises RemoteError with the registry's message and the names of tags that could not be set
        back.
        """
        moved: list[str] = []
        try:
            for name in sorted(before, key=lambda name: before[name] is not None):
                if before[name] != digest and self._is_unmoved(name, before[name], digest):
                    moved.append(name)
                    self._set(name, digest)
        except ImmutableBaseError as error:
            left = self._undo({name: before[name] for name in moved}, digest)
            if left:
                raise type(error)(
                    error.message,
                    details=error.details,
                    hint=f"could not be set back, and may name {digest}, which is signed and "
                    f"verified: {', '.join(left)}; run again",
                ) from error
            raise
        return tuple(Tag(name=name, before=before[name], digest=digest) for name in before)

    def _is_unmoved(self, name: str, before: str | None, digest: str) -> bool:
        """Tell whether a tag is where it was; False if another run set it to the same digest.

        Registries have no compare-and-swap: this leaves an instant, where there were minutes.
        """
        found = self._read(name)
        if found not in {before, digest}:
            raise RemoteError(
                f"the tag {self.repository}:{name} was moved by another run meanwhile: from "
                f"{before} to {found}",
                hint="the other run's image stays; let one pipeline at a time write here "
                "(in GitLab: `resource_group`), and run again",
            )
        return found == before

    def _set(self, name: str, digest: str) -> None:
        tagged = f"{self.repository}:{name}"
        skopeo.move_tag(self.run, f"{self.repository}@{digest}", tagged, self.environment)
        found = self._read(name)
        if found != digest:
            raise RemoteError(
                f"the tag {tagged} was set to {digest}, but names {found}",
                hint="does another pipeline write to this repository?",
            )

    def _read(self, name: str) -> str | None:
        return skopeo.manifest_digest(self.run, f"{self.repository}:{name}", self.environment)

    def _undo(self, before: Mapping[str, str | None], moved_to: str) -> list[str]:
        """Set back what this run has set, also when it is being interrupted; return what failed.

        A tag that names something else by now belongs to whoever set it.
        """
        uninterruptible = replace(
            self, run=lambda command: self.run(replace(command, even_if_interrupted=True))
        )
        left = []
        for name, digest in before.items():
            try:
                found = uninterruptible._read(name)  # noqa: SLF001  ourselves
                if found == moved_to and digest is not None:
                    uninterruptible._set(name, digest)  # noqa: SLF001  ourselves
                elif found == moved_to:
                    left.append(name)
            except ImmutableBaseError as error:
                log.warning("the tag %s could not be set back to %s: %s", name, digest, error)
                left.append(name)
        return left
