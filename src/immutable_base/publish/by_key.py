"""Signatures by a key beside an image: the ones that hosts read.

containers/image accepts one if the key made it, and if its text names the digest and the tag that
was asked for. The same is asked here, so that nothing is published that hosts would refuse.
"""

from __future__ import annotations

import hashlib

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_pem_public_key

from immutable_base.errors import TooLargeError
from immutable_base.verification.attached import CERTIFICATE, SIGNATURE, read_layers
from immutable_base.verification.policy import Demand, Signer
from immutable_base.verification.reader import Reader
from immutable_base.verification.simple_signing import MEDIA_TYPE, require_statement, split_tag
from immutable_base.verification.skipped import Skipped, skipping
from immutable_base.verification.strict import (
    DIGEST,
    Object,
    count_of,
    decode_base64,
    members,
    parse_json,
    text_of,
)

LARGEST = 64 << 10
MOST_FETCHED = 200
"""Signatures by a key that are looked at, the newest first: cosign adds at the end."""
NOBODY = Signer(identity="", issuer="")


def tags_signed_by(reader: Reader, *, repository: str, digest: str, key: str) -> frozenset[str]:
    """Return the tags of `repository` for which a key (PEM) has signed a digest.

    Raises ValueError if `key` is no ECDSA key; `reader` raises RemoteError if nothing can be known.
    """
    public = load_pem_public_key(key.encode())
    if not isinstance(public, ec.EllipticCurvePublicKey):
        raise ValueError("not an ECDSA key")  # noqa: TRY004  of the text, not of the argument
    raw = reader.manifest(f"{digest.replace(':', '-')}.sig")
    if raw is None:
        return frozenset()
    try:
        layers, _ = read_layers(raw, MEDIA_TYPE)
    except Skipped:
        return frozenset()
    by_key = [layer for layer in layers if CERTIFICATE not in _notes(layer)]
    demand = Demand(signer=NOBODY, repositories=(repository,))
    found = (_tag(reader, layer, public, digest, demand) for layer in by_key[-MOST_FETCHED:])
    return frozenset(tag for tag in found if tag)


def _notes(layer: Object) -> Object:
    notes = layer.get("annotations")
    return notes if isinstance(notes, dict) else {}


def _blob(reader: Reader, digest: str, size: int) -> bytes | None:
    try:
        return reader.blob(digest, size)
    except TooLargeError:  # Anybody may claim another size of what is in the registry.
        return None


def _tag(
    reader: Reader, layer: Object, key: ec.EllipticCurvePublicKey, digest: str, demand: Demand
) -> str:
    """Return the tag for which one signature was made; empty if it does not hold."""
    what = "a signature by a key"
    try:
        with skipping(what):
            blob, size = text_of(layer.get("digest"), what), count_of(layer.get("size"), what)
            signature = decode_base64(text_of(_notes(layer).get(SIGNATURE), what), what)
        if not DIGEST.fullmatch(blob) or size > LARGEST:
            return ""
        raw = _blob(reader, blob, size)
        if raw is None or f"sha256:{hashlib.sha256(raw).hexdigest()}" != blob:
            return ""
        with skipping(what):
            key.verify(signature, raw, ec.ECDSA(hashes.SHA256()))
            require_statement(raw, digest, demand)
            # Its form was looked at right before; but containers/image demands `optional` as well.
            text = members(parse_json(raw, what), what, ("critical", "optional"))
            return split_tag(text["critical"]["identity"]["docker-reference"])[1]
    except Skipped:
        return ""
