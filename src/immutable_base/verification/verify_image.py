"""The whole question: is this digest an image that the demanded signer has signed and attested?"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TypeVar

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.errors import (
    BrokenProofError,
    NotSignedError,
    OtherSignerError,
    VerificationError,
)
from immutable_base.verification import attestation, simple_signing
from immutable_base.verification.attached import (
    Item,
    fetch_items,
    judge,
    read_item,
    read_layers,
)
from immutable_base.verification.attestation import Attested
from immutable_base.verification.image import require_image
from immutable_base.verification.policy import Demand
from immutable_base.verification.reader import Reader
from immutable_base.verification.roots import TrustRoots
from immutable_base.verification.simple_signing import expected_text
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


T = TypeVar("T", Signed, Attested)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """One of the two tags beside an image, and what is asked of it."""

    reader: Reader
    pinned: str
    tag: str
    media_type: str
    largest: int
    what: str
    """Begins the sentence of a refusal: `<pinned> has no <what>`."""


def verify_image(
    reader: Reader, *, repository: str, digest: str, demand: Demand, roots: TrustRoots
) -> Verified:
    """Verify an image's signature and SBOM attestation, and return what was proven.

    Raises NoSuchImageError, NotSignedError, OtherSignerError, BrokenProofError, VerificationError
    for anything else that does not fit; `reader` raises RemoteError if nothing can be known.
    """
    pinned, beside = f"{repository}@{digest}", digest.replace(":", "-")
    created = require_image(reader, pinned, digest)
    rejected: list[Skipped] = []
    signatures = _ask(
        _Question(
            reader=reader, pinned=pinned, tag=f"{beside}.sig", what="signature",
            media_type=simple_signing.MEDIA_TYPE, largest=LARGEST_SIGNATURE,
        ),
        demand, roots, lambda item, raw: _signature(item, raw, digest, demand), rejected,
    )  # fmt: skip
    newest = max(signatures, key=lambda found: found.signed_at)
    _require_fresh(pinned, newest, demand)
    sboms = _ask(
        _Question(
            reader=reader, pinned=pinned, tag=f"{beside}.att", what="SBOM attestation",
            media_type=attestation.MEDIA_TYPE, largest=LARGEST_ATTESTATION,
        ),
        demand, roots,
        lambda item, raw: attestation.read_sbom(raw, item.leaf, item.entry, digest), rejected,
    )  # fmt: skip
    sboms.sort(key=lambda found: found.signed_at, reverse=True)
    by_key = sum(one.kind is Kind.BY_KEY for one in rejected)
    return Verified(
        created=created,
        signature=newest,
        sboms=tuple(sboms),
        skipped=len(rejected) - by_key,
        by_key=by_key,
    )


def _ask(
    question: _Question,
    demand: Demand,
    roots: TrustRoots,
    read: Callable[[Item, bytes], T],
    rejected: list[Skipped],
) -> list[T]:
    """Return what holds of what lies under a tag; raises if nothing does."""
    raw = question.reader.manifest(question.tag)
    if raw is None:
        raise NotSignedError(f"{question.pinned} has no {question.what}")
    here: list[Skipped] = []
    good: list[T] = []
    try:
        layers, others = read_layers(raw, question.media_type)
    except Skipped as one:
        raise _refusal(question, demand, [one]) from one
    here += [Skipped("something else", Kind.UNRELATED)] * others
    items = judge(
        layers, lambda layer: read_item(layer, demand.signer, roots, question.largest), here
    )
    items.sort(key=_looks_like_ours(question.pinned, demand), reverse=True)
    for item, content in fetch_items(question.reader, items, here):
        try:
            with skipping(f"the {question.what}"):
                good.append(read(item, content))
        except Skipped as one:
            here.append(one)
    if not good:
        raise _refusal(question, demand, here)
    rejected += here
    return good


def _looks_like_ours(pinned: str, demand: Demand) -> Callable[[Item], bool]:
    """Return what puts the text that cosign writes for this image first, among many."""
    texts = expected_text(pinned.partition("@")[2], demand.repositories)
    digests = {f"sha256:{hashlib.sha256(text).hexdigest()}" for text in texts}
    return lambda item: item.digest in digests


def _signature(item: Item, raw: bytes, digest: str, demand: Demand) -> Signed:
    entry = item.entry
    try:
        item.leaf.key.verify(
            decode_base64(item.signature, "the signature"), raw, ec.ECDSA(hashes.SHA256())
        )
    except InvalidSignature as error:
        raise Skipped("the signature does not hold") from error
    if entry.payload_hash is not None or entry.signature != item.signature:
        raise Skipped("the log's entry is of another signature")
    return Signed(
        signed_for=simple_signing.require_statement(raw, digest, demand),
        signed_at=entry.integrated,
        log_index=entry.log_index,
        claims=item.leaf.claims,
    )


def _require_fresh(pinned: str, newest: Signed, demand: Demand) -> None:
    if demand.not_before is not None and newest.signed_at < demand.not_before:
        raise VerificationError(
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


def _refusal(question: _Question, demand: Demand, rejected: Sequence[Skipped]) -> VerificationError:
    """Return the one error that says what lies there instead of what was wanted."""
    sentence = f"{question.pinned} has no valid {question.what} by {demand.signer.identity}"
    kinds = {item.kind for item in rejected} - {Kind.UNRELATED}
    details = "\n".join(
        f"{reason} ({number} times)" if number > 1 else reason
        for reason, number in Counter(item.reason[:300] for item in rejected).most_common(10)
    )
    if not kinds:
        return NotSignedError(sentence, details=details or None)
    if kinds & {Kind.OTHERS, Kind.BY_KEY} and Kind.BROKEN not in kinds:
        return OtherSignerError(sentence, details=details)
    return BrokenProofError(sentence, details=details)


def components_of(sbom: Object) -> int:
    """Return how many components a verified SBOM lists."""
    return len(sbom.get("components", ()))
