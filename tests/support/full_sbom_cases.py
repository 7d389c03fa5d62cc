"""The corpus, fifth part: the full SBOM beside an image, in registries of both kinds."""

from support.attestation_cases import OTHER
from support.complete import artifact, compact, digest_of, full_of, naming, predicate
from support.corpus import Corpus
from support.forge import FULL, IDENTITY, LISTED, SBOM, attestation, provenance, statement
from support.scene import NOT_SIGNED, OK, UNKNOWN
from support.web import Reply

FULL_SBOM = 17
"""Exit code of what is wrong with it."""
CASES = Corpus()
LIE = compact({"bomFormat": "CycloneDX", "components": [{"name": "x"}] * 1234})


def add(name, expected, spoil, words=""):
    CASES[name] = (spoil, expected, words)


def attested(s, document, full):
    """Let another SBOM be attested, with a provenance that fits."""
    stated = provenance(s.digest, predicate(full, IDENTITY))
    sbom = attestation(s.instance, statement(s.digest, document))
    s.registry.attach(s.digest, "att", sbom, s.prov(stated))


def named(s, entries):
    """Attest an SBOM with these references."""
    attested(s, {**SBOM, "externalReferences": entries}, FULL)


def hashed(full, **changes):
    return {"type": "bom", "url": "x", "hashes": [{"alg": "SHA-256", "content": digest_of(full)[7:]}], **changes}  # fmt: skip


def beside(s, *artifacts):
    """Let these, and nothing else, refer to the image."""
    entries = []
    for manifest, entry in artifacts:
        s.registry.manifests[entry["digest"]] = manifest
        entries.append(entry)
    s.registry.list_referrers(s.digest, *entries)


def forget(s, full=FULL):
    del s.registry.blobs[digest_of(full)]


def serve(s, full, instead):
    s.registry.blobs[digest_of(full)] = instead


def lose_artifact(s):
    _, entry = artifact(s.digest, FULL)
    del s.registry.manifests[entry["digest"]]


def about_another(s):
    other = full_of({**SBOM, "metadata": {"component": {"name": "another image"}}})
    attested(s, naming(LISTED, other), other)
    s.registry.refer(s.digest, other)


def other_document(s, full):
    attested(s, naming(LISTED, full), full)
    s.registry.refer(s.digest, full)


def raw_list(s, raw):
    if s.registry.has_referrers:
        s.registry.lists[s.digest] = (raw,)
    else:
        s.registry.manifests[s.digest.replace(":", "-")] = raw


def retyped(s, kind):
    manifest, entry = artifact(s.digest, FULL, artifactType=kind)
    return manifest, {**entry, "artifactType": kind}


def unavailable(s):
    s.replies[f"/v2/os/base-zfs/referrers/{s.digest}"] = Reply(b"", 503)


add("good", OK, lambda s: None, "full SBOM sha256:")
add("no list of referrers", FULL_SBOM, lambda s: s.registry.list_referrers(s.digest), "has no full")
add("the document is lost", FULL_SBOM, forget, "has lost the full SBOM")
add("the artifact is lost", FULL_SBOM, lose_artifact, "has no full SBOM")
add(
    "another document in its place",
    FULL_SBOM,
    lambda s: serve(s, FULL, FULL.replace(b"bash", b"hsab")),
    "is not the one",
)
add(
    "another artifact in its place",
    FULL_SBOM,
    lambda s: s.registry.refer(s.digest, LIE),
    "is not the one that the attested",
)
add(
    "another artifact beside it", OK,
    lambda s: beside(s, artifact(s.digest, LIE), artifact(s.digest, FULL)),
)  # fmt: skip
add(
    "behind three hundred of somebody else (S5)", OK,
    lambda s: beside(s, *(artifact(s.digest, LIE, annotations={"n": str(n)}) for n in range(300)), artifact(s.digest, FULL)),
    "full SBOM sha256:",
)  # fmt: skip
add(
    "three hundred of somebody else, and no document", FULL_SBOM,
    lambda s: (beside(s, *(artifact(s.digest, LIE, annotations={"n": str(n)}) for n in range(300))), forget(s)),
    "is not the one that the attested",
)  # fmt: skip
add(
    "that of another image, listed here", FULL_SBOM, lambda s: beside(s, artifact(OTHER, FULL)),
    "is about another image",
)  # fmt: skip
add(
    "a document about another image", FULL_SBOM, about_another,
    "about another image than the attested",
)  # fmt: skip
add("a document that is no JSON", FULL_SBOM, lambda s: other_document(s, b"hello"), "not strict")
add(
    "a document with a key twice",
    FULL_SBOM,
    lambda s: other_document(s, b'{"a":1,"a":2}'),
    "twice",
)
add(
    "a list that is none", FULL_SBOM, lambda s: raw_list(s, b"hello"), "has no full SBOM",
)  # fmt: skip
add(
    "a list with a key twice",
    FULL_SBOM,
    lambda s: raw_list(s, b'{"manifests":[],"manifests":[]}'),
    "the registry has no full SBOM",
)
add(
    "a list of numbers",
    FULL_SBOM,
    lambda s: raw_list(s, b'{"manifests":[1,null,"x"]}'),
    "the registry has no full SBOM",
)
add(
    "of another artifact type", FULL_SBOM,
    lambda s: beside(s, retyped(s, "application/spdx+json")), "has no full SBOM",
)  # fmt: skip
add(
    "without a subject",
    FULL_SBOM,
    lambda s: s.registry.refer(s.digest, subject=None),
    "the registry has no full SBOM",
)
add(
    "with two documents",
    FULL_SBOM,
    lambda s: s.registry.refer(s.digest, layers=[{}, {}]),
    "the registry has no full SBOM",
)
add("with a document that claims to be huge", FULL_SBOM, lambda s: s.registry.refer(
    s.digest, layers=[{"mediaType": "application/vnd.cyclonedx+json", "digest": digest_of(FULL), "size": 1 << 40}]
), "the registry has no full SBOM")  # fmt: skip
add("the attested one names none", FULL_SBOM, lambda s: named(s, []), "names no full one")
add("it names two", FULL_SBOM, lambda s: named(s, [hashed(FULL)] * 2), "more than one")
add(
    "it names one without a hash",
    FULL_SBOM,
    lambda s: named(s, [hashed(FULL, hashes=[])]),
    "the SBOM's reference to the full one has no SHA-256",
)
add(
    "it names one by SHA-1", FULL_SBOM,
    lambda s: named(s, [hashed(FULL, hashes=[{"alg": "SHA-1", "content": "0" * 40}])]), "the SBOM's reference to the full one has no SHA-256",
)  # fmt: skip
add(
    "other references beside it",
    OK,
    lambda s: named(s, [{"type": "website", "url": "x"}, hashed(FULL)]),
)
add("the registry does not tell", UNKNOWN, unavailable, "503")
add(
    "no provenance either",
    NOT_SIGNED,
    lambda s: (s.set_prov(), forget(s)),
    "has no valid provenance",
)
