"""Everything that `doctor --ci` looks at."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.config.schema import Settings
from immutable_base.errors import ImmutableBaseError
from immutable_base.model.runner import RunnerFinding, RunnerReport, fault, warning
from immutable_base.pipeline import PLACE
from immutable_base.runner.access import look_at_registry
from immutable_base.runner.gitlab import NAME, SEE, look_at_cleanup
from immutable_base.runner.job import look_at_job, look_at_volume, signs
from immutable_base.runner.pipeline import pipeline_drift
from immutable_base.trusted import signer_of
from immutable_base.verification.client import Client
from immutable_base.verification.deadline import Deadline
from immutable_base.verification.registry import RegistryReader
from immutable_base.verification.tls_trust import TlsTrust

MOUNTS = Path("/proc/self/mountinfo")
SECONDS = 15.0
"""For the registry, and for GitLab: together less than a minute."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunnerExamination:
    """A configuration, and the job that will work with it."""

    settings: Settings
    folder: Path
    """That of the configuration."""
    workspace: Path
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    clock: Callable[[], float] = time.time
    """Returns the seconds since 1970."""

    def report(self) -> RunnerReport:
        """Return what the job has and lacks. Nothing is raised: what fails is a finding."""
        return RunnerReport(findings=tuple(self._findings()))

    def _findings(self) -> Iterator[RunnerFinding]:
        signing = self.settings.signing.table()
        yield look_at_volume(MOUNTS.read_text(errors="replace"), self.workspace)
        yield from look_at_job(
            self.environment,
            signer_of(signing),
            now=self.clock(),
            protected_ref=signing.protected_ref,
        )
        yield from self._registry()
        yield self._cleanup()
        drift = pipeline_drift(self.settings, self.folder)
        if drift is not None:
            yield fault("pipeline", drift, f"`immutable-base ci --output {PLACE}`")

    def _registry(self) -> Iterator[RunnerFinding]:
        try:
            client = self._client(self.settings.authority(self.folder))
        except ImmutableBaseError as error:
            yield fault("registry: read", error.message, error.hint or "see registry.ca_bundle")
            return
        reader = RegistryReader(
            client=client,
            repository=self.settings.repository_of(next(iter(self.settings.variants))),
            environment=self.environment,
            actions="pull,push",
        )
        signing, now = signs(self.environment), self.clock()
        with closing(reader):
            # To resolve a name has no limit of its own.
            try:
                yield from client.deadline.hold(
                    lambda: list(look_at_registry(reader, signs=signing, now=now))
                )
            except ImmutableBaseError as error:
                yield fault("registry: read", error.message, "is its name known here?")

    def _cleanup(self) -> RunnerFinding:
        # GitLab gives a job the CA of its own server as a file.
        own = self.environment.get("CI_SERVER_TLS_CA_FILE", "")
        try:
            client = self._client(Path(own) if own else None)
        except ImmutableBaseError as error:
            return warning(NAME, f"it could not be asked: {error.message}", SEE)
        with closing(client):
            try:
                return client.deadline.hold(lambda: look_at_cleanup(client, self.environment))
            except ImmutableBaseError as error:
                return warning(NAME, f"it could not be asked: {error.message}", SEE)

    def _client(self, authority: Path | None) -> Client:
        return Client(deadline=Deadline(seconds=SECONDS), tls=TlsTrust(authority))
