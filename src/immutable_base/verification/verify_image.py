"""The whole question: is this digest an image that the demanded signer has signed and attested?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.errors import TooOldError
from immutable_base.verification import attestation, simple_signing
from immutable_base.verification.attached import Item, judge, read_item, read_layers
from immutable_base.verification.attestation import (
    CYCLONEDX,
    Attested,
    Statement,
    other_type,
    read_sbom,
    read_statement,
)
from immutable_base.verification.beside import Question, ask, refusal
from immutable_base.verification.image import ImageWords, require_image
from immutable_base.verification.policy import Demand
from immutable_base.verification.reader import Reader
from immutable_base.verification.roots import TrustRoots
from immutable_base.verification.skipped import Kind, Skipped, skipping
from immutable_base.verification.strict import Object, decode_base64

LARGEST_SIGNATURE = 64 << 10
"""Bytes of a signed text; cosign writes about 250."""
LARGEST_ATTESTATION = 64 << 20
"""Bytes of an envelope; one with the SBOM of an image with 700 packages has 600 KiB."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """A signature that holds."""

    signed_for: str
    """The repository that the signed text names."""
    signed_at: int
    """Seconds since 1970, by the log."""
    log_index: int
    claims: dict[str, str]
    """What the certificate says about the job; names of `policy.EXTENSIONS`."""


P = TypeVar("P")


@dataclass(frozen=True, slots=True, kw_only=True)
class Attestations:
    """What is attested to an image, whatever it is, and what beside it does not count."""

    question: Question
    demand: Demand
    statements: list[Statement]
    rejected: list[Skipped]

    @classmethod
    def of(
        cls,
        reader: Reader,
        pinned: str,
        tag: str,
        demand: Demand,
        roots: TrustRoots,
        *,
        near: Sequence[int],
    ) -> Attestations:
        """Read it, what was logged near the signatures' times first; raises as `verify_image`."""
        question = Question(
            reader=reader, pinned=pinned, tag=tag, what="SBOM attestation",
            media_type=attestation.MEDIA_TYPE, largest=LARGEST_ATTESTATION, near=near,
        )  # fmt: skip
        rejected: list[Skipped] = []
        found = ask(
            question, demand, roots,
            lambda item, raw: read_statement(raw, item.leaf, item.entry, pinned.partition("@")[2]),
            rejected,
        )  # fmt: skip
        found.sort(key=_when, reverse=True)
        return cls(question=question, demand=demand, statements=found, rejected=rejected)

    def each(self, what: str, kind: str, read: Callable[[Statement], P]) -> tuple[P, ...]:
        """Return every statement of a kind that can be read, the newest first.

        Raises as `verify_image` if there is none.
        """
        here: list[Skipped] = []
        others: list[Skipped] = []
        good: list[P] = []
        for statement in self.statements:
            if statement.kind != kind:
                others.append(other_type(statement.kind))
                continue
            try:
                with skipping(f"the {what}"):
                    good.append(read(statement))
            except Skipped as one:
                here.append(one)
        if not good:
            question = replace(self.question, what=what)
            raise refusal(question, self.demand, [*self.rejected, *here, *others])
        self.rejected.extend(here)
        return tuple(good)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What was proven of one image."""

    created: str
    """When the image was made, by its own words; empty if it has none."""
    signature: Signed
    """The newest of those that hold."""
    sboms: tuple[Attested, ...]
    """Those that hold, the newest first; at least one."""
    skipped: int
    """What lies beside the image and does not count, signatures by a key aside."""
    by_key: int = 0
    """Signatures without a certificate beside it, which prove nothing here: hosts read them."""
    image: ImageWords
    """What the image says of itself."""
    attested: Attestations
    """Everything that is attested to it; no statement but SBOMs was read."""


def verify_image(
    reader: Reader, *, repository: str, digest: str, demand: Demand, roots: TrustRoots
) -> Verified:
    """Verify an image's signature and SBOM attestation, and return what was proven.

    Raises NoSuchImageError, NotSignedError, OtherSignerError, BrokenProofError, VerificationError
    for anything else that does not fit; `reader` raises RemoteError if nothing can be known.
    """
    pinned, beside = f"{repository}@{digest}", digest.replace(":", "-")
    image = require_image(reader, pinned, digest)
    rejected: list[Skipped] = []
    signatures = ask(
        Question(
            reader=reader, pinned=pinned, tag=f"{beside}.sig", what="signature",
            media_type=simple_signing.MEDIA_TYPE, largest=LARGEST_SIGNATURE,
        ),
        demand, roots, lambda item, raw: _signature(item, raw, digest, demand), rejected,
    )  # fmt: skip
    newest = max(signatures, key=_when)
    _require_fresh(pinned, newest, demand)
    signed = [found.signed_at for found in signatures]
    attested = Attestations.of(reader, pinned, f"{beside}.att", demand, roots, near=signed)
    sboms = attested.each("SBOM attestation", CYCLONEDX, read_sbom)
    rejected += attested.rejected
    by_key = sum(one.kind is Kind.BY_KEY for one in rejected)
    return Verified(
        created=image.created,
        signature=newest,
        sboms=sboms,
        skipped=len(rejected) - by_key,
        by_key=by_key,
        image=image,
        attested=attested,
    )


def _signature(item: Item, raw: bytes, digest: str, demand: Demand) -> Signed:
    entry = item.entry
    try:
        item.leaf.key.verify(
            decode_base64(item.signature, "the signature"), raw, ec.ECDSA(hashes.SHA256())
        )
    except InvalidSignature as error:
        raise Skipped("the signature does not hold") from error
    if entry.payload_hash is not None:
        raise Skipped(f"the log's entry is a {entry.kind}, not a signature's")
    return Signed(
        signed_for=simple_signing.require_statement(raw, digest, demand),
        signed_at=entry.integrated,
        log_index=entry.log_index,
        claims=item.leaf.claims,
    )


def _when(found: Signed | Statement) -> tuple[int, int]:
    """Return what the log says of the order; of one second the place in it decides."""
    return found.signed_at, found.log_index


def _require_fresh(pinned: str, newest: Signed, demand: Demand) -> None:
    if demand.not_before is not None and newest.signed_at < demand.not_before:
        raise TooOldError(
            f"{pinned} was signed {moment(newest.signed_at)}, which is older than "
            f"{moment(demand.not_before)}",
            hint="a registry that is written to by somebody else can offer an old image again",
        )


def moment(seconds: int) -> str:
    """Return a time as people and programs read it (RFC 3339, UTC)."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def count_broken(
    reader: Reader, *, digest: str, kind: str, demand: Demand, roots: TrustRoots
) -> int:
    """Return how many things under a tag beside an image (`sig` or `att`) are not whole.

    A program that reads all of them may stop at the first.
    """
    raw = reader.manifest(f"{digest.replace(':', '-')}.{kind}")
    if raw is None:
        return 0
    rejected: list[Skipped] = []
    module = simple_signing if kind == "sig" else attestation
    try:
        layers, others = read_layers(raw, module.MEDIA_TYPE)
    except Skipped:
        return 1
    judge(
        layers, lambda layer: read_item(layer, demand.signer, roots, LARGEST_ATTESTATION), rejected
    )
    whole = sum(item.kind in {Kind.OTHERS, Kind.BY_KEY} for item in rejected)
    return others + len(rejected) - whole


def components_of(sbom: Object) -> int:
    """Return how many components a verified SBOM lists."""
    return len(sbom.get("components", ()))
