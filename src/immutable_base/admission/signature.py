"""A signature as it lies in a lookaside: written by the host's key, and read back.

Source of the form: image/internal/signature/signature.go and sigstore.go of
containers/container-libs, `sigstore-json`; a test pulls by it with a real skopeo.
"""

from __future__ import annotations

import base64
import json

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.admission.decide import Admission, read_statement, write_statement
from immutable_base.verification.attached import SIGNATURE
from immutable_base.verification.simple_signing import MEDIA_TYPE
from immutable_base.verification.skipped import Skipped, skipping
from immutable_base.verification.strict import decode_base64, members, parse_json

PREFIX = b"\0sigstore-json\n"
LARGEST = 16 << 10
"""Bytes of a file; ours have about 800."""


def sign(admission: Admission, key: ec.EllipticCurvePrivateKey) -> bytes:
    """Return the whole file by which container tools take an image."""
    statement = write_statement(admission)
    signature = key.sign(statement, ec.ECDSA(hashes.SHA256()))
    document = {
        "mimeType": MEDIA_TYPE,
        "payload": base64.b64encode(statement).decode("ascii"),
        "annotations": {SIGNATURE: base64.b64encode(signature).decode("ascii")},
    }
    return PREFIX + json.dumps(document, separators=(",", ":")).encode()


def read(raw: bytes, key: ec.EllipticCurvePublicKey) -> Admission:
    """Return what a file admits if this key has signed it; raises Skipped."""
    what = "the file"
    with skipping(what):
        if not raw.startswith(PREFIX):
            raise Skipped("it is no signature of the form sigstore-json")
        document = parse_json(raw.removeprefix(PREFIX), what)
        found = members(document, what, ("mimeType", "payload", "annotations"))
        notes = members(found["annotations"], what, (SIGNATURE,))
        statement = decode_base64(found["payload"], what)
        try:
            key.verify(decode_base64(notes[SIGNATURE], what), statement, ec.ECDSA(hashes.SHA256()))
        except InvalidSignature as error:
            raise Skipped("it is not signed by the key of this host") from error
        return read_statement(statement)
