"""Where container tools look for signatures: `<path>@sha256=<hex>/signature-<n>`, from 1 on.

Source: image/docker/docker_image_src.go and registries_d.go of containers/container-libs. One file
that cannot be parsed refuses the image, so each appears whole, and nothing that is not ours stays
in the folder of an image that is admitted.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.admission import signature
from immutable_base.admission.decide import Admission
from immutable_base.admission.folder import Folder
from immutable_base.errors import HostError
from immutable_base.verification.simple_signing import normalized, split_tag
from immutable_base.verification.skipped import Skipped

_IMAGE = re.compile(r"[^@]+@sha256=([0-9a-f]{64})")
MOST_NAMES = 128
"""Signatures of one image that container tools read; source: maxLookasideSignatures."""
DEEPEST = 32
"""Parts of a repository's path."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookaside:
    """A lookaside of which we are the only writer."""

    folder: Folder
    key: ec.EllipticCurvePrivateKey

    def admissions(self) -> list[Admission]:
        """Return what our key has admitted; anything else there does not count.

        Raises HostError if a link, or something that is not ours, lies in the way.
        """
        images = list(self._images(self.folder, ()))
        return [item for parts in images for item in self._in(parts).values()]

    def add(self, admission: Admission) -> None:
        """Let container tools pull an image under a name; raises HostError."""
        parts = _parts_of(admission)
        before = self._in(parts)
        after = [admission if it.reference == admission.reference else it for it in before.values()]
        self._store(parts, before, after if admission in after else [*after, admission])

    def remove(self, admissions: list[Admission]) -> None:
        """Let container tools refuse images from now on; raises HostError.

        What our key has not signed, an earlier one of this host for instance, goes as well.
        """
        for parts in list(self._images(self.folder, ())):
            before = self._in(parts)
            self._store(parts, before, [it for it in before.values() if it not in admissions])

    def _store(
        self, parts: tuple[str, ...], before: dict[str, Admission], after: list[Admission]
    ) -> None:
        """Let the folder of an image hold exactly these signatures; one that is there stays."""
        if len(after) > MOST_NAMES:
            raise HostError(f"an image is admitted under more than {MOST_NAMES} names")
        names = [f"signature-{number}" for number, _ in enumerate(after, 1)]
        with self._open(parts, make=True) as image:
            for name, item in zip(names, after, strict=True):
                if before.get(name) != item:
                    image.write(name, signature.sign(item, self.key))
            for name in image.names():
                if name not in names:
                    image.remove(name)
        if not after:
            with self._open(parts[:-1]) as parent:
                parent.remove_folder(parts[-1])

    def _in(self, parts: tuple[str, ...]) -> dict[str, Admission]:
        """Return what the files of an image admit of this very image."""
        found: dict[str, Admission] = {}
        if not self._exists(parts):
            return found
        with self._open(parts) as image:
            for name in image.names():
                if image.is_folder(name):
                    raise HostError(f"{image.path / name} is a folder, and does not belong there")
                raw = image.read(name, signature.LARGEST)
                try:
                    item = signature.read(raw or b"", self.key.public_key())
                except Skipped:
                    continue
                if _parts_of(item) == parts:
                    found[name] = item
        return found

    def _images(self, folder: Folder, above: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        for name in folder.names():
            parts = (*above, name)
            if not folder.is_folder(name) or len(parts) > DEEPEST:
                continue
            if _IMAGE.fullmatch(name):
                yield parts
            else:
                with folder.below(name) as deeper:
                    yield from self._images(deeper, parts)

    def _exists(self, parts: tuple[str, ...]) -> bool:
        with ExitStack() as stack:
            folder = self.folder
            for name in parts:
                if name not in folder.names() or not folder.is_folder(name):
                    return False
                folder = stack.enter_context(folder.below(name))
        return True

    @contextmanager
    def _open(self, parts: tuple[str, ...], *, make: bool = False) -> Iterator[Folder]:
        with ExitStack() as stack:
            folder = self.folder
            for name in parts:
                folder = stack.enter_context(folder.below(name, make=make))
            yield folder


def _parts_of(admission: Admission) -> tuple[str, ...]:
    """Return the folder of an image, part by part; the registry's host is none of them."""
    repository, _ = split_tag(admission.reference.partition("@")[0])
    path = normalized(repository).partition("/")[2]
    *folders, last = path.split("/")
    return (*folders, f"{last}@{admission.digest.replace(':', '=')}")
