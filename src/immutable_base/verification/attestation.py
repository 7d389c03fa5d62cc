"""A DSSE envelope with an in-toto statement: what is used is exactly what was signed.

The text of an envelope is not signed, only what it encodes. So it has exactly the keys of the
specification, each once, and the statement is parsed from the very bytes whose signature held.
Sources: secure-systems-lab/dsse, envelope.md and protocol.md; in-toto/attestation, spec/v1.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.verification.certificate import Leaf
from immutable_base.verification.log_entry import Entry
from immutable_base.verification.skipped import Kind, Skipped
from immutable_base.verification.strict import (
    HEX,
    Object,
    decode_base64,
    list_of,
    members,
    parse_json,
    require_object,
    text_of,
)

MEDIA_TYPE = "application/vnd.dsse.envelope.v1+json"
PAYLOAD_TYPE = "application/vnd.in-toto+json"
STATEMENTS = frozenset({"https://in-toto.io/Statement/v0.1", "https://in-toto.io/Statement/v1"})
CYCLONEDX = "https://cyclonedx.org/bom"
"""Predicate type of an SBOM attestation; source: in-toto attestation, predicate CycloneDX."""


PROVENANCE = "https://slsa.dev/provenance/v1"
"""Predicate type of a provenance; source: SLSA specification 1.0, "Provenance"."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An in-toto statement whose attestation holds; its predicate is not read yet."""

    kind: str
    """Its predicate type: `CYCLONEDX` or `PROVENANCE`."""
    predicate: object
    leaf: Leaf
    """The certificate of who attests it."""
    signed_at: int
    log_index: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Attested:
    """An SBOM whose attestation holds."""

    document: Object
    signed_at: int
    log_index: int


def read_statement(raw: bytes, leaf: Leaf, entry: Entry, digest: str) -> Statement:
    """Return what an envelope states about this digest.

    `leaf` and `entry` have been verified. Raises Skipped.
    """
    payload = _verified_payload(raw, leaf, entry)
    statement = members(
        parse_json(payload, "the attestation"), "the attestation",
        ("_type", "predicateType", "subject", "predicate"),
    )  # fmt: skip
    if text_of(statement["_type"], "the attestation's _type") not in STATEMENTS:
        raise Skipped("the attestation is not an in-toto statement")
    _require_subject(statement["subject"], digest)
    kind = text_of(statement["predicateType"], "the attestation's type")
    if kind not in {CYCLONEDX, PROVENANCE}:
        raise other_type(kind)
    return Statement(
        kind=kind,
        predicate=statement["predicate"],
        leaf=leaf,
        signed_at=entry.integrated,
        log_index=entry.log_index,
    )


def other_type(kind: str) -> Skipped:
    """Return why a statement of another type does not count."""
    return Skipped(f"an attestation of the type {kind[:200]}", Kind.UNRELATED)


def read_sbom(statement: Statement) -> Attested:
    """Return the SBOM that a statement holds; raises Skipped."""
    return Attested(
        document=_sbom(statement.predicate),
        signed_at=statement.signed_at,
        log_index=statement.log_index,
    )


def _verified_payload(raw: bytes, leaf: Leaf, entry: Entry) -> bytes:
    what = "the attestation's envelope"
    envelope = members(parse_json(raw, what), what, ("payloadType", "payload", "signatures"))
    signatures = list_of(envelope["signatures"], what)
    if len(signatures) != 1:
        raise Skipped(f"{what} has {len(signatures)} signatures, not one")
    signature = members(signatures[0], what, ("sig",), ("keyid",))
    text_of(signature.get("keyid", ""), f"{what}: a key's ID")
    if envelope["payloadType"] != PAYLOAD_TYPE:
        raise Skipped(f"{what} does not hold an in-toto statement")
    payload = decode_base64(envelope["payload"], "the attestation")
    try:
        leaf.key.verify(
            decode_base64(signature["sig"], "the attestation's signature"),
            encode_before_signing(PAYLOAD_TYPE, payload),
            ec.ECDSA(hashes.SHA256()),
        )
    except InvalidSignature as error:
        raise Skipped("the attestation's signature does not hold") from error
    _require_logged(entry, payload, text_of(signature["sig"], what))
    return payload


def _require_logged(entry: Entry, payload: bytes, signature: str) -> None:
    if entry.payload_hash is None:
        raise Skipped(f"the log's entry is a {entry.kind}, not an attestation's")
    if entry.signature != signature:
        raise Skipped("the log's entry is of another signature")
    if entry.payload_hash != hashlib.sha256(payload).hexdigest():
        raise Skipped("the log's entry is of another attestation")


def encode_before_signing(payload_type: str, payload: bytes) -> bytes:
    """Return what a signature in an envelope is of (PAE)."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _require_subject(value: object, digest: str) -> None:
    found = []
    for item in list_of(value, "the attestation's subject"):
        subject = members(item, "the attestation's subject", ("digest",), ("name",))
        text_of(subject.get("name", ""), "the name of the attestation's subject")
        digests = require_object(subject["digest"], "the attestation's subject")
        one = text_of(digests.get("sha256"), "the attestation's subject")
        if not HEX.fullmatch(one):
            raise Skipped("the attestation's subject is not a SHA-256")
        found.append(f"sha256:{one}")
    if digest not in found:
        raise Skipped("the attestation is about another image")


def _sbom(predicate: object) -> Object:
    document = require_object(predicate, "the SBOM")
    if document.get("bomFormat") != "CycloneDX":
        raise Skipped("the attested SBOM is not a CycloneDX document")
    for component in list_of(document.get("components", []), "the SBOM's components"):
        require_object(component, "a component of the SBOM")
    return document
