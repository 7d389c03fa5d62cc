"""The verification that anybody can repeat: a digest, its signer, its SBOM and its provenance."""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from immutable_base.verification.client import Client
from immutable_base.verification.complete.prove import CompleteProof, prove_complete
from immutable_base.verification.complete.provenance import Provenance
from immutable_base.verification.complete.referrers import (
    ReferrersOpener,
    ReferrersReader,
    ReferrersRegistry,
)
from immutable_base.verification.deadline import SECONDS, Deadline
from immutable_base.verification.policy import Demand, Signer
from immutable_base.verification.resolve import names_of, resolve
from immutable_base.verification.roots import TrustRoots
from immutable_base.verification.tls_trust import TlsTrust
from immutable_base.verification.verify_image import Verified, count_broken, verify_image

NO_CT_LOG = "no SCT: this Sigstore instance has no CT log"
T = TypeVar("T")


def registry_reader(
    authority: Path | None, repository: str, deadline: Deadline
) -> ReferrersRegistry:
    """Return a repository as it is read over HTTPS; `authority` is a private CA.

    Raises ConfigurationError if the CA's file cannot be used.
    """
    return ReferrersRegistry(
        client=Client(deadline=deadline, tls=TlsTrust(authority)),
        repository=repository,
        environment=os.environ,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedImage:
    """An image of which all that was demanded holds; there is no other way to get one."""

    repository: str
    digest: str
    tag: str | None
    """The tag that named the digest when it was asked for."""
    signer: Signer
    roots: TrustRoots
    proof: Verified
    more: CompleteProof | None
    """Provenance and full SBOM; None: they were not demanded."""

    @property
    def pinned(self) -> str:
        """`repository@sha256:...`."""
        return f"{self.repository}@{self.digest}"

    @property
    def log_index(self) -> int:
        """Entry of the newest signature in the transparency log."""
        return self.proof.signature.log_index

    @property
    def sct_checked(self) -> bool:
        """False: this Sigstore instance has no CT log."""
        return self.roots.sct_checked

    @property
    def complete(self) -> CompleteProof:
        """Provenance and full SBOM. Raises ValueError if they were not demanded."""
        if self.more is None:
            raise ValueError(f"provenance and full SBOM of {self.pinned} were not asked for")
        return self.more

    @property
    def provenance(self) -> Provenance:
        """The newest provenance; raises as `complete`."""
        return self.complete.provenances[0]

    @property
    def skipped(self) -> int:
        """What lies beside the image and does not count."""
        return self.proof.skipped + (self.more.skipped if self.more else 0)

    def has_sbom(self, document: dict[str, Any]) -> bool:
        """Return whether the newest SBOM is exactly this one; older ones are history."""
        return self.proof.sboms[0].document == document


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """What a verification needs: trust roots, who must have signed, and a registry."""

    signer: Signer
    roots: TrustRoots
    open_reader: ReferrersOpener
    """How a registry is read."""
    mirrors: dict[str, str] = field(default_factory=dict)
    """Prefixes of declared mirrors, and the prefix that each of them mirrors."""
    signed_as: str | None = None
    """Repository that the signature must name, where it is not the one that is asked."""
    not_before: int | None = None
    """Seconds since 1970; an image that was signed earlier is refused."""
    complete: bool = True
    """Whether provenance and full SBOM are demanded, as well as signature and SBOM attestation."""
    seconds: float = SECONDS
    """How long one verification may take as a whole."""
    interrupted: Callable[[], bool] = lambda: False
    """Tells whether nobody wants the answer any more."""

    def verify_reference(
        self, repository: str, *, tag: str | None = None, digest: str | None = None
    ) -> VerifiedImage:
        """Verify signature, SBOM, provenance of what a tag names now, or of a digest.

        With both, the tag must name the digest. Raises VerificationError in the kind that says
        what is wrong, RemoteError if nothing can be known.
        """
        return self.reading(
            repository, lambda reader: self._verify(reader, repository, tag, digest)
        )

    def verify(self, repository: str, digest: str) -> VerifiedImage:
        """Verify signature, SBOM and provenance of a digest; raises as `verify_reference`."""
        return self.verify_reference(repository, digest=digest)

    def count_broken(self, repository: str, digest: str, kind: str) -> int:
        """Return how many signatures (`sig`) or attestations (`att`) of a digest are not whole."""
        demand = Demand(signer=self.signer, repositories=(repository,))
        return self.reading(
            repository,
            lambda reader: count_broken(
                reader, digest=digest, kind=kind, demand=demand, roots=self.roots
            ),
        )

    def reading(self, repository: str, work: Callable[[ReferrersReader], T]) -> T:
        """Return what `work` makes of a repository, before the time is over.

        Raises RemoteError if it is not done by then.
        """
        deadline = Deadline(seconds=self.seconds, interrupted=self.interrupted)

        def carry_out() -> T:
            with closing(self.open_reader(repository, deadline)) as reader:
                return work(reader)

        return deadline.hold(carry_out)

    def _verify(
        self, reader: ReferrersReader, repository: str, tag: str | None, digest: str | None
    ) -> VerifiedImage:
        digest = resolve(reader, repository, tag, digest)
        proof = verify_image(
            reader,
            repository=repository,
            digest=digest,
            demand=Demand(
                signer=self.signer,
                repositories=self._repositories(repository),
                tag=tag,
                not_before=self.not_before,
            ),
            roots=self.roots,
        )
        pinned = f"{repository}@{digest}"
        return VerifiedImage(
            repository=repository,
            digest=digest,
            tag=tag,
            signer=self.signer,
            roots=self.roots,
            proof=proof,
            more=prove_complete(reader, pinned, proof) if self.complete else None,
        )

    def _repositories(self, repository: str) -> tuple[str, ...]:
        """Return the repositories that a signature may name."""
        if self.signed_as is not None:
            return (self.signed_as,)
        return names_of(repository, self.mirrors)
