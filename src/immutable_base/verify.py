"""The verification that anybody can repeat: a digest, its signer, and its SBOM."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from immutable_base.errors import VerificationError
from immutable_base.process import Runner
from immutable_base.tools import cosign, skopeo

CYCLONEDX = "https://cyclonedx.org/bom"
"""Predicate type of an SBOM attestation; source: in-toto attestation, predicate CycloneDX."""
NO_CT_LOG = "no SCT: this Sigstore instance has no CT log"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
"""Of a DSSE envelope that holds an in-toto statement; source: in-toto attestation, envelope."""


class _ForeignDocument(BaseModel):
    """A document of another project: keys that we do not know are ignored."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class _ManifestDigest(_ForeignDocument):
    digest: str = Field(alias="docker-manifest-digest")


class _Critical(_ForeignDocument):
    image: _ManifestDigest
    type: str


class _LogPayload(_ForeignDocument):
    index: int | None = Field(default=None, alias="logIndex")


class _LogBundle(_ForeignDocument):
    payload: _LogPayload = Field(default=_LogPayload(), alias="Payload")


class _Optional(_ForeignDocument):
    bundle: _LogBundle = Field(default=_LogBundle(), alias="Bundle")
    issuer: str = Field(default="", alias="Issuer")
    subject: str = Field(default="", alias="Subject")


class _Signature(_ForeignDocument):
    """One verified signature as cosign prints it."""

    critical: _Critical
    optional: _Optional


class _Envelope(_ForeignDocument):
    """A DSSE envelope whose signature cosign has verified."""

    type: str = Field(alias="payloadType")
    payload: str


class _ResourceDescriptor(_ForeignDocument):
    """One subject of an in-toto statement."""

    digest: dict[str, str]


class _Statement(_ForeignDocument):
    """An in-toto statement."""

    subject: tuple[_ResourceDescriptor, ...]
    predicate_type: str = Field(alias="predicateType")
    predicate: dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class VerifiedImage:
    """An image whose signature and SBOM attestation hold; there is no other way to get one."""

    repository: str
    digest: str
    signer: cosign.Signer
    log_index: int | None
    """Entry of the newest signature in the transparency log."""
    sct_checked: bool
    """False: this Sigstore instance has no CT log."""
    sboms: tuple[dict[str, Any], ...]
    """Every attested CycloneDX document; at least one."""

    @property
    def pinned(self) -> str:
        """`repository@sha256:...`."""
        return f"{self.repository}@{self.digest}"

    def has_sbom(self, document: dict[str, Any]) -> bool:
        """Return whether exactly this SBOM is attested."""
        return document in self.sboms


@dataclass(frozen=True, slots=True, kw_only=True)
class Verifier:
    """What a verification needs: a runner, trust roots, and who must have signed."""

    run: Runner
    sigstore: cosign.Sigstore
    signer: cosign.Signer

    def resolve(self, repository: str, tag: str) -> str:
        """Return the digest that a tag names now.

        Raises VerificationError if there is no such tag, RemoteError if the registry fails.
        """
        tagged = f"{repository}:{tag}"
        digest = skopeo.manifest_digest(self.run, tagged, self.sigstore.environment)
        if digest is None:
            raise VerificationError(f"there is no image {tagged}")
        return digest

    def verify(self, repository: str, digest: str) -> VerifiedImage:
        """Verify signature and SBOM attestation of a digest.

        Raises VerificationError if one is missing or somebody else's, RemoteError if the registry
        fails.
        """
        pinned = f"{repository}@{digest}"
        text = cosign.verify(self.run, pinned, self.signer, self.sigstore)
        envelopes = cosign.verify_attestation(self.run, pinned, self.signer, self.sigstore)
        return VerifiedImage(
            repository=repository,
            digest=digest,
            signer=self.signer,
            log_index=self._log_index(text, pinned, digest),
            sct_checked=self.sigstore.check_sct,
            sboms=_sboms(envelopes, pinned, digest),
        )

    def _log_index(self, text: str, pinned: str, digest: str) -> int | None:
        """Check what cosign reports as verified, and return the newest entry in the log."""
        try:
            signatures = TypeAdapter(tuple[_Signature, ...]).validate_json(text)
        except ValidationError as error:
            raise _not_understood(pinned, error) from error
        good = [item for item in signatures if self._is_of(item, digest)]
        if not good:
            raise VerificationError(
                f"{pinned} has signatures, but none is for {digest} by {self.signer.identity}",
                details=text[:2000],
            )
        indexes = [item.optional.bundle.payload.index for item in good]
        return max((index for index in indexes if index is not None), default=None)

    def _is_of(self, signature: _Signature, digest: str) -> bool:
        return (
            signature.critical.image.digest == digest
            and signature.optional.subject == self.signer.identity
            and signature.optional.issuer == self.signer.issuer
        )


def _sboms(envelopes: Sequence[str], pinned: str, digest: str) -> tuple[dict[str, Any], ...]:
    try:
        statements = [_statement(envelope) for envelope in envelopes]
    except ValueError as error:  # also pydantic's ValidationError
        raise _not_understood(pinned, error) from error
    wanted = digest.removeprefix("sha256:")
    found = tuple(
        statement.predicate
        for statement in statements
        if statement.predicate_type == CYCLONEDX
        and any(subject.digest.get("sha256") == wanted for subject in statement.subject)
    )
    if not found:
        raise VerificationError(f"{pinned} has attestations, but none is an SBOM of {digest}")
    return found


def _statement(text: str) -> _Statement:
    envelope = _Envelope.model_validate_json(text)
    if envelope.type != PAYLOAD_TYPE:
        raise ValueError(f"payloadType is {envelope.type}, not {PAYLOAD_TYPE}")
    # By pydantic's own parser, which limits the depth: json.loads would end in a RecursionError.
    return _Statement.model_validate_json(base64.b64decode(envelope.payload))


def _not_understood(pinned: str, error: Exception) -> VerificationError:
    return VerificationError(
        f"cosign's output about {pinned} is not understood, so nothing is proven",
        details=str(error)[:2000],
        hint="`immutable-base doctor` says which versions of cosign are accepted",
    )
