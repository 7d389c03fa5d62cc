"""The corpus: what an attestation states of which image."""

from support.attestation_corpus import LIE, OTHER, statement_case
from support.forge import SBOM, compact, simple_signing, statement
from support.scene import BROKEN, NOT_SIGNED, OK

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
