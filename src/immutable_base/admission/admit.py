"""Admit one image: resolve, verify, and only then sign for this host."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass

from immutable_base.admission.decide import (
    DAY,
    Admission,
    expired,
    name_to_pull,
    newer,
    require_not_older,
)
from immutable_base.admission.folder import open_folder
from immutable_base.admission.host_key import host_key
from immutable_base.admission.lookaside import Lookaside
from immutable_base.admission.settings import AdmissionSettings
from immutable_base.errors import ConfigurationError, HostError
from immutable_base.model.reference import Reference
from immutable_base.verification.client import Client
from immutable_base.verification.deadline import Deadline
from immutable_base.verification.policy import Demand
from immutable_base.verification.reader import Reader
from immutable_base.verification.registry import RegistryReader
from immutable_base.verification.resolve import names_of, resolve
from immutable_base.verification.tls_trust import TlsTrust
from immutable_base.verification.verify_image import Verified, verify_image

LOOKASIDE = "lookaside"
"""The folder that registries.d names, below the state's."""
DEFAULT_TAG = "latest"
"""What container tools add; source: distribution/reference, TagNameOnly."""


def parse_reference(text: str) -> Reference:
    """Take a reference apart; raises ConfigurationError if it does not say which registry.

    Container tools would look for `a/b` at Docker Hub, and would take it by that name.
    """
    found = Reference.parse(text)
    if not found.names_registry:
        raise ConfigurationError(
            f"'{text}' does not say which registry: container tools would look at Docker Hub",
            hint="write registry/path:tag or registry/path@sha256:...",
        )
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Admitter:
    """Everything that an admission needs beside its question."""

    settings: AdmissionSettings
    environment: Mapping[str, str]
    """Where the registry's login is."""
    deadline: Deadline
    clock: Callable[[], float]

    def admit(self, text: str, *, allow_older: bool) -> tuple[Admission, Verified]:
        """Verify what a reference names now, and let this host pull exactly that.

        With `allow_older` nothing newer is admitted under this name any more.
        Raises VerificationError in the kind that says what is wrong, RemoteError if nothing can be
        known, HostError if it cannot be written down, ConfigurationError for what is no reference.
        """
        asked = parse_reference(text)
        tag = asked.tag or (None if asked.digest else DEFAULT_TAG)
        with self.lookaside() as lookaside:
            known = lookaside.admissions()
            digest, proof = self.deadline.hold(lambda: self._verify(asked, tag))
            admission = Admission(
                reference=name_to_pull(asked.repository, tag, asked.digest),
                digest=digest,
                signed_at=proof.signature.signed_at,
                admitted_at=int(self.clock()),
            )
            if not allow_older:
                require_not_older(admission, known, self.settings.signed_after)
            lookaside.add(admission)
            if gone := newer(admission, known):
                lookaside.remove(gone)
        return admission, proof

    def expire(self, deployed: frozenset[str] | None) -> list[Admission]:
        """Remove the admissions that nothing needs any more, and return them.

        Raises HostError if nobody knows what is deployed, and no age is configured instead.
        """
        keep_days = self.settings.keep_days
        if deployed is None and not keep_days:
            raise HostError(
                "nobody knows what is deployed: there is no bootc here; nothing was removed",
                hint="for a lookaside that other hosts read, set keep_days",
            )
        with self.lookaside() as lookaside:
            known = lookaside.admissions()
            gone = expired(known, deployed or frozenset(), keep_days, int(self.clock()))
            lookaside.remove(gone)
        return gone

    @contextmanager
    def lookaside(self) -> Iterator[Lookaside]:
        """Yield the lookaside, held alone; raises HostError, RemoteError after the deadline."""
        with open_folder(self.settings.state) as state, state.alone(self.deadline.remaining):
            key = host_key(state)
            with state.below(LOOKASIDE, make=True) as folder:
                yield Lookaside(folder=folder, key=key)

    def _verify(self, asked: Reference, tag: str | None) -> tuple[str, Verified]:
        with closing(self._reader(asked.repository)) as reader:
            digest = resolve(reader, asked.repository, tag, asked.digest)
            demand = Demand(
                signer=self.settings.signer,
                repositories=names_of(asked.repository, self.settings.mirrors),
                tag=tag,
                not_before=self._not_before(),
            )
            return digest, verify_image(
                reader,
                repository=asked.repository,
                digest=digest,
                demand=demand,
                roots=self.settings.roots,
            )

    def _not_before(self) -> int | None:
        days = self.settings.maximum_age_days
        return int(self.clock()) - days * DAY if days else None

    def _reader(self, repository: str) -> Reader:
        return RegistryReader(
            client=Client(deadline=self.deadline, tls=TlsTrust(self.settings.authority)),
            repository=repository,
            environment=self.environment,
        )
