"""The corpus: who attested, when, and how it is attached."""

import json

from cryptography import x509

from support.attestation_corpus import add, leaf_case
from support.forge import (
    IDENTITY,
    NOW,
    b64,
    dsse_entry,
    hashedrekord,
    intoto_entry,
    new_key,
    pem_of,
    statement,
)
from support.scene import BROKEN, NOT_SIGNED, OK, OTHERS

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
