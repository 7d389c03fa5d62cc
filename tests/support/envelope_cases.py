"""The corpus: the envelope of an attestation. What is used must be what was signed, byte for byte."""

import base64
import json

from support.attestation_corpus import add, envelope_case, lie, text
from support.forge import compact
from support.scene import BROKEN, OK

envelope_case(
    "the lie first, what was signed in another case (S1)",
    BROKEN,
    lambda s, p, g: text(lie(s), g, after=f',"Payload":"{p}"'),
    "the attestation's envelope has keys that differ only in case",
)
envelope_case(
    "the lie in another case (S1)",
    BROKEN,
    lambda s, p, g: text(p, g, after=f',"Payload":"{lie(s)}"'),
    "the attestation's envelope has keys that differ only in case",
)
envelope_case(
    "the lie in capitals (S1)",
    BROKEN,
    lambda s, p, g: text(p, g, before=f'"PAYLOAD":"{lie(s)}",'),
    "the attestation's envelope has keys that differ only in case",
)
envelope_case(
    "the payload twice, the lie first (S1)",
    BROKEN,
    lambda s, p, g: text(p, g, before=f'"payload":"{lie(s)}",'),
    "the attestation's envelope is not strict JSON: a key stands twice in an object",
)
envelope_case(
    "the payload twice, the lie last (S1)",
    BROKEN,
    lambda s, p, g: text(p, g, after=f',"payload":"{lie(s)}"'),
    "the attestation's envelope is not strict JSON: a key stands twice in an object",
)
envelope_case("the lie alone (S1)", BROKEN, lambda s, p, g: text(lie(s), g), "does not hold")
envelope_case(
    "the signatures twice",
    BROKEN,
    lambda s, p, g: text(p, g, after=',"signatures":[]'),
    "the attestation's envelope is not strict JSON: a key stands twice in an object",
)
envelope_case(
    "the signatures in another case",
    BROKEN,
    lambda s, p, g: text(p, g, after=',"Signatures":[]'),
    "the attestation's envelope has keys that differ only in case",
)
envelope_case(
    "the type twice",
    BROKEN,
    lambda s, p, g: text(p, g, after=',"payloadType":"x"'),
    "the attestation's envelope is not strict JSON: a key stands twice in an object",
)
envelope_case(
    "a key more in the envelope",
    BROKEN,
    lambda s, p, g: text(p, g, after=',"more":1'),
    "the attestation's envelope has keys that do not belong there: more",
)
envelope_case(
    "an escaped key",
    BROKEN,
    lambda s, p, g: text(p, g, after=f',"p\\u0061yload":"{lie(s)}"'),
    "the attestation's envelope is not strict JSON: a key stands twice in an object",
)
envelope_case(
    "a key that folds to another",
    BROKEN,
    lambda s, p, g: text(p, g, after=',"\u017fignatures":[]'),
    "the attestation's envelope has keys that differ only in case",
)
envelope_case(
    "no signature in the envelope",
    BROKEN,
    lambda s, p, g: text(p, g, signatures=[]),
    "the attestation's envelope has 0 signatures, not one",
)
envelope_case(
    "two signatures in the envelope",
    BROKEN,
    lambda s, p, g: text(p, g, signatures=[{"sig": g}, {"sig": g}]),
    "the attestation's envelope has 2 signatures, not one",
)
envelope_case(
    "a signature that is a text",
    BROKEN,
    lambda s, p, g: text(p, g, signatures=[g]),
    "the attestation's envelope is not a JSON object",
)
envelope_case(
    "a signature with a key twice",
    BROKEN,
    lambda s, p, g: text(p, g).replace(b'{"keyid"', b'{"sig":"","keyid"'),
    "the attestation's envelope is not strict JSON: a key stands twice in an object",
)
envelope_case(
    "a signature with another case",
    BROKEN,
    lambda s, p, g: text(p, g).replace(b'{"keyid"', b'{"Sig":"","keyid"'),
    "the attestation's envelope has keys that differ only in case",
)
envelope_case(
    "the payload with a line break",
    BROKEN,
    lambda s, p, g: text(p + "\\n", g),
    "the attestation is not base64",
)
envelope_case(
    "the payload with a space",
    BROKEN,
    lambda s, p, g: text(p[:8] + " " + p[8:], g),
    "the attestation is not base64",
)
envelope_case(
    "the payload in base64 for URLs",
    BROKEN,
    lambda s, p, g: text(base64.urlsafe_b64encode(base64.b64decode(p)).decode().rstrip("="), g),
    "the attestation is not base64",
)
envelope_case(
    "another type",
    BROKEN,
    lambda s, p, g: text(p, g, kind="text/plain"),
    "the attestation's envelope does not hold an in-toto statement",
)
envelope_case(
    "an envelope that is no JSON",
    BROKEN,
    lambda s, p, g: b"hello",
    "the attestation's envelope is not strict JSON",
)
envelope_case(
    "an envelope that is a list",
    BROKEN,
    lambda s, p, g: b"[]",
    "the attestation's envelope is not a JSON object",
)
envelope_case(
    "an envelope nested too deep",
    BROKEN,
    lambda s, p, g: b"[" * 9000,
    "the attestation's envelope is nested deeper than 64 levels",
)
envelope_case(
    "an envelope with another one after it",
    BROKEN,
    lambda s, p, g: text(p, g) + b"\n" + text(lie(s), g),
    "the attestation's envelope is not strict JSON",
)
envelope_case(
    "spaces and line breaks between keys",
    OK,
    lambda s, p, g: json.dumps(json.loads(text(p, g)), indent=1).encode(),
)
envelope_case(
    "keys in another order",
    OK,
    lambda s, p, g: compact(dict(reversed(json.loads(text(p, g)).items()))),
)
envelope_case("a key ID", OK, lambda s, p, g: text(p, g, signatures=[{"keyid": "x", "sig": g}]))
envelope_case("no key ID", OK, lambda s, p, g: text(p, g, signatures=[{"sig": g}]))
add(
    "signed as another type",
    BROKEN,
    lambda s: s.set_att(s.att(payload_type="text/plain")),
    "the attestation's envelope does not hold an in-toto statement",
)
add(
    "another statement was signed",
    BROKEN,
    lambda s: s.set_att(s.att(signed=b"{}")),
    "does not hold",
)
