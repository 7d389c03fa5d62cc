"""The corpus, second part: SBOM attestations. What is used must be what was signed, byte for byte."""

import base64
import json

from cryptography import x509

from support.corpus import Corpus
from support.forge import (
    IDENTITY,
    NOW,
    SBOM,
    b64,
    compact,
    dsse_entry,
    hashedrekord,
    intoto_entry,
    new_key,
    pem_of,
    simple_signing,
    statement,
)
from support.scene import BROKEN, NOT_SIGNED, OK, OTHERS

OTHER = "sha256:" + "2" * 64
LIE = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "x"}] * 1234}
CASES = Corpus()


def add(name, expected, spoil, words=""):
    CASES[name] = (spoil, expected, words)


def statement_case(name, expected, make, words=""):
    add(name, expected, lambda s: s.set_att(s.att(make(s))), words)


def envelope_case(name, expected, write, words="", **more):
    add(
        name, expected, lambda s: s.set_att(s.att(write=lambda p, g: write(s, p, g), **more)), words
    )


def leaf_case(name, expected, words="", **changes):
    add(name, expected, lambda s: s.set_att(s.att(leaf=s.leaf(**changes))), words)


def lie(s):
    return b64(compact(statement(s.digest, LIE)))


def text(
    payload, signature, *, before="", after="", kind="application/vnd.in-toto+json", signatures=None
):
    given = compact(
        [{"keyid": "", "sig": signature}] if signatures is None else signatures
    ).decode()
    return f'{{{before}"payloadType":"{kind}","payload":"{payload}","signatures":{given}{after}}}'.encode()


# ------------------------------------------------------------------ the envelope (S1)

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

# ------------------------------------------------------------------ the statement

statement_case("about another image", BROKEN, lambda s: statement(OTHER), "another image")
statement_case(
    "about two images",
    OK,
    lambda s: statement(
        s.digest, subject=[{"digest": {"sha256": "2" * 64}}, {"digest": {"sha256": s.digest[7:]}}]
    ),
)
statement_case(
    "about nothing",
    BROKEN,
    lambda s: statement(s.digest, subject=[]),
    "the attestation is about another image",
)
statement_case(
    "about a text",
    BROKEN,
    lambda s: statement(s.digest, subject="x"),
    "the attestation's subject is not a list",
)
statement_case(
    "about a null",
    BROKEN,
    lambda s: statement(s.digest, subject=[None]),
    "the attestation's subject is not a JSON object",
)
statement_case(
    "about a SHA-512",
    BROKEN,
    lambda s: statement(s.digest, subject=[{"digest": {"sha512": s.digest[7:]}}]),
    "the attestation's subject is not a text",
)
statement_case(
    "about a digest in capitals",
    BROKEN,
    lambda s: statement(s.digest, subject=[{"digest": {"sha256": s.digest[7:].upper()}}]),
    "the attestation's subject is not a SHA-256",
)
statement_case(
    "about two digests",
    BROKEN,
    lambda s: compact(statement(s.digest)).replace(
        b'{"sha256"', b'{"sha256":"' + b"2" * 64 + b'","sha256"'
    ),
    "the attestation is not strict JSON: a key stands twice in an object",
)
statement_case(
    "about digests in two cases",
    BROKEN,
    lambda s: statement(
        s.digest, subject=[{"digest": {"sha256": s.digest[7:], "SHA256": "2" * 64}}]
    ),
    "the attestation's subject has keys that differ only in case",
)
statement_case(
    "no statement (S15)",
    BROKEN,
    lambda s: statement(s.digest, _type="https://example.org/x"),
    "the attestation is not an in-toto statement",
)
statement_case(
    "an empty _type (S15)",
    BROKEN,
    lambda s: statement(s.digest, _type=""),
    "the attestation is not an in-toto statement",
)
statement_case(
    "_type is a list (S15)",
    BROKEN,
    lambda s: statement(s.digest, _type=[]),
    "the attestation's _type is not a text",
)
statement_case(
    "a statement of version 1",
    OK,
    lambda s: statement(s.digest, _type="https://in-toto.io/Statement/v1"),
)
statement_case(
    "a key more in the statement",
    BROKEN,
    lambda s: statement(s.digest, more=1),
    "the attestation has keys that do not belong there: more",
)
statement_case(
    "a predicate twice",
    BROKEN,
    lambda s: compact(statement(s.digest)).replace(b'"predicate":', b'"predicate":{},"predicate":'),
    "the attestation is not strict JSON: a key stands twice in an object",
)
statement_case(
    "a predicate in another case",
    BROKEN,
    lambda s: statement(s.digest, Predicate=LIE),
    "the attestation has keys that differ only in case",
)
statement_case(
    "another predicate type",
    NOT_SIGNED,
    lambda s: statement(s.digest, predicateType="https://slsa.dev/provenance/v1"),
    "slsa.dev",
)
statement_case(
    "SPDX",
    NOT_SIGNED,
    lambda s: statement(s.digest, predicateType="https://spdx.dev/Document"),
    "an attestation of the type https://spdx.dev/Document",
)
statement_case(
    "predicate type with a slash",
    NOT_SIGNED,
    lambda s: statement(s.digest, predicateType="https://cyclonedx.org/bom/"),
    "of the type https://cyclonedx.org/bom/",
)
statement_case(
    "predicate type is a number",
    BROKEN,
    lambda s: statement(s.digest, predicateType=7),
    "the attestation's type is not a text",
)
for label, (predicate, words) in {
    "empty (S15)": ({}, "the attested SBOM is not a CycloneDX document"),
    "null": (None, "the SBOM is not a JSON object"),
    "a list": ([], "the SBOM is not a JSON object"),
    "a text": ("x", "the SBOM is not a JSON object"),
    "of another format": ({"bomFormat": "SPDX"}, "the attested SBOM is not a CycloneDX document"),
}.items():
    statement_case(
        f"the SBOM is {label}",
        BROKEN,
        lambda s, predicate=predicate: statement(s.digest, predicate),
        words,
    )
for label, (components, words) in {
    "null (S15)": (None, "the SBOM's components is not a list"),
    "a text": ("x", "the SBOM's components is not a list"),
    "an object": ({}, "the SBOM's components is not a list"),
    "a list of numbers": ([1], "a component of the SBOM is not a JSON object"),
    "a list of lists": ([[]], "a component of the SBOM is not a JSON object"),
}.items():
    statement_case(
        f"the components are {label}",
        BROKEN,
        lambda s, c=components: statement(s.digest, {**SBOM, "components": c}),
        words,
    )
statement_case("no components", OK, lambda s: statement(s.digest, {**SBOM, "components": []}))
statement_case(
    "the components in two cases",
    BROKEN,
    lambda s: statement(s.digest, {**SBOM, "Components": []}),
    "the SBOM has keys that differ only in case",
)
statement_case(
    "the components twice (S15)",
    BROKEN,
    lambda s: compact(statement(s.digest)).replace(
        b'"components":', b'"components":[],"components":'
    ),
    "the attestation is not strict JSON: a key stands twice in an object",
)
statement_case(
    "9000 levels (S15)",
    BROKEN,
    lambda s: compact(statement(s.digest, "DEEP")).replace(
        b'"DEEP"', b'{"a":' * 9000 + b"1" + b"}" * 9000
    ),
    "deeper",
)
statement_case(
    "a number that is infinite",
    BROKEN,
    lambda s: compact(statement(s.digest, {**SBOM, "a": 1})).replace(b'"a":1', b'"a":1e400'),
    "the attestation is not strict JSON: a number is too large",
)
statement_case(
    "a line separator in the SBOM (G19)",
    OK,
    lambda s: compact(statement(s.digest, {**SBOM, "a": "\u2028"})).replace(
        b"\\u2028", "\u2028".encode()
    ),
)
statement_case(
    "half a character in the SBOM",
    BROKEN,
    lambda s: statement(s.digest, {**SBOM, "a": "\ud800"}),
    "the attestation is not strict JSON",
)
statement_case(
    "not UTF-8",
    BROKEN,
    lambda s: compact(statement(s.digest)) + b"\xff",
    "the attestation is not strict JSON",
)
statement_case(
    "the signed text of a signature",
    BROKEN,
    lambda s: simple_signing(s.digest, s.repository),
    "the attestation lacks _type, predicate, predicateType, subject",
)
statement_case(
    "a large SBOM",
    OK,
    lambda s: statement(s.digest, {**SBOM, "components": [{"name": "x" * 100}] * 5000}),
    "5000 components",
)

# ------------------------------------------------------------------ who, when, and the log

leaf_case(
    "attested by another branch",
    OTHERS,
    "refs/heads/topic",
    identity=IDENTITY.replace("main", "topic"),
)
leaf_case(
    "attested by another issuer (S15)",
    OTHERS,
    "https://evil.example vouches",
    issuer="https://evil.example",
)
leaf_case(
    "attested with two names (S15)",
    BROKEN,
    "the certificate has 2 names, not one",
    names=[
        x509.UniformResourceIdentifier(IDENTITY),
        x509.UniformResourceIdentifier("https://x.example"),
    ],
)
leaf_case(
    "attested with issuers that disagree (S15)",
    BROKEN,
    "the certificate's issuer extensions disagree",
    v2="https://evil.example",
)
leaf_case("attested without SCT", BROKEN, "no SCT", ct_key=None)
leaf_case(
    "attested with a foreign SCT",
    BROKEN,
    "no trusted CT log has signed for the certificate",
    ct_key=new_key(),
)
leaf_case(
    "attested after the certificate's end",
    BROKEN,
    "no trusted root vouches for the certificate",
    when=NOW - 1000,
)
add(
    "attested by a foreign authority",
    BROKEN,
    lambda s: s.set_att(s.att(leaf=s.foreign.leaf(), chain=pem_of(s.foreign.root))),
    "no trusted root vouches for the certificate",
)
add("logged elsewhere", BROKEN, lambda s: s.set_att(s.att(log=s.foreign)), "not trusted")
add(
    "another envelope was logged",
    BROKEN,
    lambda s: s.set_att(s.att(logged=b"{}")),
    "another text",
)
add(
    "another payload was logged",
    BROKEN,
    lambda s: s.set_att(s.att(entry=lambda e, p, g, c: dsse_entry(e, b"x", g, c))),
    "another attestation",
)
add(
    "another signature was logged",
    BROKEN,
    lambda s: s.set_att(s.att(entry=lambda e, p, g, c: dsse_entry(e, p, b64(b"x"), c))),
    "another signature",
)
add(
    "another certificate was logged",
    BROKEN,
    lambda s: s.set_att(s.att(entry=lambda e, p, g, c: dsse_entry(e, p, g, s.leaf().pem))),
    "another certificate",
)
add(
    "a hashedrekord was logged",
    BROKEN,
    lambda s: s.set_att(s.att(entry=lambda e, p, g, c: hashedrekord(e, g, c))),
    "not an attestation's",
)
add("an in-toto entry was logged", OK, lambda s: s.set_att(s.att(entry=intoto_entry)))
add(
    "an in-toto entry of another envelope",
    BROKEN,
    lambda s: s.set_att(s.att(entry=intoto_entry, logged=b"{}")),
    "the log's entry is of another text",
)
add(
    "the SET was changed",
    BROKEN,
    lambda s: s.set_att(s.att().rebundled(lambda b: b["Payload"].update(logIndex=9))),
    "the log's signature of the entry does not hold",
)
add(
    "the entry is a number (S5)",
    BROKEN,
    lambda s: s.set_att(s.att().rebundled(lambda b: b["Payload"].update(body=7))),
    "the log's entry is not a text",
)

# ------------------------------------------------------------------ how it is attached

add("no attestation tag", NOT_SIGNED, lambda s: s.remove("att"), "has no SBOM attestation")
add(
    "an empty attestation tag",
    NOT_SIGNED,
    lambda s: s.set_att(),
    "has no valid SBOM attestation by",
)
add(
    "the signature under the attestation's tag",
    NOT_SIGNED,
    lambda s: s.set_att(s.sig()),
    "something else",
)
add(
    "the signature as an attestation",
    BROKEN,
    lambda s: s.registry.attach_raw(
        s.digest, "att", [{**s.sig().descriptor(), "mediaType": s.att().media_type}]
    ),
    "the attestation's envelope lacks payload, payloadType, signatures",
)
add(
    "junk beside the good one (S5)",
    OK,
    lambda s: s.set_att(s.att().rebundled(lambda b: b["Payload"].update(body=7)), s.att()),
    "1 items",
)
add(
    "provenance beside the SBOM",
    OK,
    lambda s: s.set_att(
        s.att(), s.att(statement(s.digest, predicateType="https://slsa.dev/provenance/v1"))
    ),
    "1 items",
)
add(
    "fifty by others",
    OTHERS,
    lambda s: s.set_att(
        *[s.att(leaf=s.leaf(identity=f"https://gitlab.com/x/{n}")) for n in range(50)]
    ),
    "signed by https://gitlab.com/x/0",
)
add(
    "the registry lacks the envelope",
    BROKEN,
    lambda s: s.registry.blobs.pop(
        json.loads(s.registry.manifests[s.path_of("att").rpartition("/")[2]])["layers"][0]["digest"]
    ),
    "the registry does not have what its manifest names",
)
add(
    "an envelope that claims to be huge",
    BROKEN,
    lambda s: s.registry.attach_raw(s.digest, "att", [{**s.att().descriptor(), "size": 1 << 40}]),
    "an item's digest or size is not acceptable",
)
add("everything good", OK, lambda s: None)
