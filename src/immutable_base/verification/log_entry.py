"""Rekor's promise that an entry is in the log, and what that entry says.

A signed entry timestamp (SET) is Rekor's signature of entry, time and place. The time in it decides
at which moment the certificate must have been valid. Source: sigstore/rekor, pkg/types.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.verification.roots import TrustRoots
from immutable_base.verification.skipped import Skipped, skipping
from immutable_base.verification.strict import (
    HEX,
    Object,
    count_of,
    decode_base64,
    list_of,
    members,
    parse_json,
    text_of,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What Rekor has signed: something was in the log at this time."""

    kind: str
    log_index: int
    integrated: int
    """Seconds since 1970."""
    hash: str
    """SHA-256 of what was logged: the signed payload, or the whole envelope."""
    signature: str
    """As base64, exactly as it was logged."""
    certificate: str
    """The signer's certificate in PEM."""
    payload_hash: str | None = None
    """SHA-256 of what is in the envelope, where that was logged too."""


def read_entry(annotation: str, roots: TrustRoots) -> Entry:
    """Return the entry of a bundle annotation once Rekor's signature of it holds.

    Raises Skipped.
    """
    what = "the log's bundle"
    with skipping(what):
        bundle = members(
            parse_json(annotation.encode(), what), what, ("SignedEntryTimestamp", "Payload")
        )
        payload = members(bundle["Payload"], what, ("body", "integratedTime", "logIndex", "logID"))
        integrated = count_of(payload["integratedTime"], "the log's time")
        log_index = count_of(payload["logIndex"], "the log's index")
        log_id = text_of(payload["logID"], "the log's ID")
        body = text_of(payload["body"], "the log's entry")
        signed = {
            "body": body, "integratedTime": integrated, "logID": log_id, "logIndex": log_index,
        }  # fmt: skip
        _require_signed(
            roots, log_id, integrated, _canonical(signed),
            decode_base64(bundle["SignedEntryTimestamp"], "the log's signature"),
        )  # fmt: skip
        document = parse_json(decode_base64(body, "the log's entry"), "the log's entry")
        return _entry(document, log_index, integrated)


def _canonical(value: Object) -> bytes:
    """Return what Rekor signs; for these four values RFC 8785 comes down to this."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _require_signed(
    roots: TrustRoots, log_id: str, integrated: int, signed: bytes, signature: bytes
) -> None:
    known = [log for log in roots.rekor if log.log_id.hex() == log_id]
    if not known:
        raise Skipped("the entry is in a log that is not trusted")
    for log in known:
        try:
            log.key.verify(signature, signed, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature:
            continue
        if log.period.holds(integrated):
            return
    raise Skipped("the log's signature of the entry does not hold")


def _entry(document: object, log_index: int, integrated: int) -> Entry:
    what = "the log's entry"
    outer = members(document, what, ("apiVersion", "kind", "spec"))
    kind = f"{text_of(outer['kind'], what)} {text_of(outer['apiVersion'], what)}"
    reader = _READERS.get(kind)
    if reader is None:
        raise Skipped(f"the log's entry is of the kind {kind}, which proves nothing here")
    hashed, signature, certificate, payload_hash = reader(outer["spec"])
    return Entry(
        kind=kind,
        log_index=log_index,
        integrated=integrated,
        hash=hashed,
        signature=signature,
        certificate=decode_base64(certificate, "the logged certificate").decode("ascii"),
        payload_hash=payload_hash,
    )


_Read = tuple[str, str, object, str | None]
"""Hash, signature, certificate and perhaps the payload's hash."""


def _sha256(value: object, what: str) -> str:
    found = members(value, what, ("algorithm", "value"))
    if found["algorithm"] != "sha256" or not HEX.fullmatch(text_of(found["value"], what)):
        raise Skipped(f"{what} is not a SHA-256")
    return text_of(found["value"], what)


def _hashedrekord(spec: object) -> _Read:
    outer = members(spec, "the entry", ("data", "signature"))
    data = members(outer["data"], "the entry's data", ("hash",))
    signature = members(outer["signature"], "the entry's signature", ("content", "publicKey"))
    key = members(signature["publicKey"], "the entry's key", ("content",))
    content = text_of(signature["content"], "the entry's signature")
    return _sha256(data["hash"], "the entry's hash"), content, key["content"], None


def _dsse(spec: object) -> _Read:
    outer = members(spec, "the entry", ("envelopeHash", "payloadHash", "signatures"))
    one = _only(outer["signatures"], ("signature", "verifier"))
    return (
        _sha256(outer["envelopeHash"], "the entry's hash"),
        text_of(one["signature"], "the entry's signature"),
        one["verifier"],
        _sha256(outer["payloadHash"], "the entry's payload hash"),
    )


def _intoto_2(spec: object) -> _Read:
    content = members(
        members(spec, "the entry", ("content",))["content"],
        "the entry's content", ("envelope", "hash", "payloadHash"),
    )  # fmt: skip
    envelope = members(content["envelope"], "the entry's envelope", ("payloadType", "signatures"))
    one = _only(envelope["signatures"], ("publicKey", "sig"), ("keyid",))
    # Its writer encodes the text of the signature, which is base64 already, once more.
    signature = decode_base64(one["sig"], "the entry's signature").decode("ascii")
    return (
        _sha256(content["hash"], "the entry's hash"),
        signature,
        one["publicKey"],
        _sha256(content["payloadHash"], "the entry's payload hash"),
    )


def _only(value: object, required: tuple[str, ...], optional: tuple[str, ...] = ()) -> Object:
    found = list_of(value, "the entry's signatures")
    if len(found) != 1:
        raise Skipped(f"the log's entry has {len(found)} signatures, not one")
    return members(found[0], "the entry's signature", required, optional)


_READERS: dict[str, Callable[[object], _Read]] = {
    "hashedrekord 0.0.1": _hashedrekord,
    "dsse 0.0.1": _dsse,
    "intoto 0.0.2": _intoto_2,
}
"""Kinds that cosign writes for signatures and attestations in the legacy format."""
