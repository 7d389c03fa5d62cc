"""What is to be published, and how long each step of it takes."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from immutable_base.model.publish import StepTime
from immutable_base.provenance.record import BuildRecord
from immutable_base.publish.as_host import AskedHost

HostOpener = Callable[[], AbstractContextManager[AskedHost]]
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class StepClock:
    """How long each step takes."""

    started: float = field(default_factory=time.monotonic)
    steps: list[StepTime] = field(default_factory=list)

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Measure what happens in the block."""
        log.info("%s", name)
        before = time.monotonic()
        yield
        self.steps.append(StepTime(step=name, seconds=round(time.monotonic() - before, 2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishRequest:
    """An exported image with its SBOM, and where it is to go."""

    variant: str
    repository: str
    """Without a tag."""
    digest: str
    layout: Path
    """OCI layout that holds exactly this digest."""
    sbom: Path
    """The SBOM to attest; the full one lies beside it."""
    record: BuildRecord
    """How the image was built."""
    provenance: Path
    """Where the provenance is written down that is attested."""
    epoch: int
    """When the newest of its inputs was made, in seconds since 1970."""
    tags: Sequence[str]
    rests_on: Mapping[str, str]
    """Of the publication: documents by name, and their SHA-256."""
    renew: int | None = None
    """Seconds since 1970: an image whose newest signature is not newer is signed once more, so that
    its age begins again; None: what is signed stays as it is."""
    open_host: HostOpener | None = None
    """Opens a host that runs this image, to be asked before tags move; None: nobody is asked."""

    @property
    def pinned(self) -> str:
        """`repository@sha256:...`."""
        return f"{self.repository}@{self.digest}"

    @property
    def named(self) -> tuple[str, str, Sequence[str]]:
        """Repository, digest and tags."""
        return self.repository, self.digest, self.tags

    def read_sbom(self) -> dict[str, Any]:
        """Return the SBOM as it will be attested."""
        document: dict[str, Any] = json.loads(self.sbom.read_text())
        return document
