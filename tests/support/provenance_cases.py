"""The corpus, fourth part: provenances. What is stated must be ours, whole, and contradict nothing."""

import copy
import json

from support.attestation_cases import OTHER
from support.complete import full_of, naming, predicate
from support.corpus import Corpus
from support.forge import (
    FULL,
    IDENTITY,
    LISTED,
    PREDICATE,
    SBOM,
    attestation,
    compact,
    new_key,
    provenance,
    statement,
)
from support.scene import BROKEN, NOT_SIGNED, OK, OTHERS

CASES = Corpus()
TOPIC = IDENTITY.replace("main", "topic")


def add(name, expected, spoil, words=""):
    CASES[name] = (spoil, expected, words)


def stated(name, expected, make, words=""):
    """One provenance beside a good SBOM."""
    add(name, expected, lambda s: s.set_prov(s.prov(make(s))), words)


def changed(name, expected, change, words=""):
    """A good provenance of which `change` changes one thing; everything is signed."""

    def make(s):
        made = copy.deepcopy(PREDICATE)
        change(made)
        return provenance(s.digest, made)

    stated(name, expected, make, words)


def build(name, expected, words="", **fields):
    changed(name, expected, lambda p: p["buildDefinition"].update(fields), words)


def run(name, expected, words="", **fields):
    changed(name, expected, lambda p: p["runDetails"].update(fields), words)


def dependencies(name, expected, change, words=""):
    def apply(p):
        found = p["buildDefinition"]["resolvedDependencies"]
        p["buildDefinition"]["resolvedDependencies"] = change(found)

    changed(name, expected, apply, words)


def with_base(s, digest):
    """Attest an SBOM that says which base the image has, with a provenance that fits otherwise."""
    said = [{"name": "immutable-base:base", "value": f"registry.example/x@sha256:{digest}"}]
    listed = {**LISTED, "metadata": {"component": {"name": "x", "properties": said}}}
    full = full_of(listed)
    s.registry.refer(s.digest, full)
    sbom = attestation(s.instance, statement(s.digest, naming(listed, full)))
    stated = s.prov(provenance(s.digest, predicate(full, IDENTITY)))
    s.registry.attach(s.digest, "att", sbom, stated)


add("no provenance", NOT_SIGNED, lambda s: s.set_prov(), "has no valid provenance")
add("a provenance twice", OK, lambda s: s.set_prov(s.prov(), s.prov(when=1_795_000_009)))
add(
    "a broken one beside a good one", OK,
    lambda s: s.set_prov(s.prov(provenance(s.digest, {})), s.prov()), "1 items",
)  # fmt: skip
add(
    "that of another image, under our tag", BROKEN,
    lambda s: s.set_prov(s.prov(provenance(OTHER))), "about another image",
)  # fmt: skip
stated(
    "with no subject",
    BROKEN,
    lambda s: provenance(s.digest, subject=[]),
    "the attestation is about another image",
)
stated(
    "with a subject of SHA-512", BROKEN,
    lambda s: provenance(s.digest, subject=[{"digest": {"sha512": s.digest[7:]}}]), "the attestation's subject is not a text",
)  # fmt: skip
stated(
    "with a subject twice", BROKEN,
    lambda s: compact(provenance(s.digest)).replace(b'"subject":', b'"subject":[],"subject":'), "the attestation is not strict JSON: a key stands twice in an object",
)  # fmt: skip
stated("an SBOM as a provenance", BROKEN, lambda s: provenance(s.digest, SBOM), "lacks")
stated(
    "of SLSA 0.2", NOT_SIGNED,
    lambda s: provenance(s.digest, predicateType="https://slsa.dev/provenance/v0.2"),
    "slsa.dev/provenance/v0.2",
)  # fmt: skip
for label, (value, words) in {
    "empty": ({}, "the provenance lacks buildDefinition, runDetails"),
    "null": (None, "the provenance is not a JSON object"),
    "a list": ([], "the provenance is not a JSON object"),
    "a text": ("x", "the provenance is not a JSON object"),
    "half": ({"buildDefinition": {}}, "the provenance lacks runDetails"),
}.items():
    stated(f"the predicate is {label}", BROKEN, lambda s, v=value: provenance(s.digest, v), words)
stated(
    "a key twice in the predicate", BROKEN,
    lambda s: compact(provenance(s.digest)).replace(
        b'"buildType":', b'"buildType":"https://example.org/x","buildType":', 1
    ), "twice",
)  # fmt: skip
stated(
    "a key twice in a digest", BROKEN,
    lambda s: compact(provenance(s.digest)).replace(
        b'"digest":{"sha256":"' + b"b" * 64, b'"digest":{"sha256":"' + b"a" * 64 + b'","sha256":"' + b"b" * 64
    ), "twice",
)  # fmt: skip
changed(
    "a key in two cases",
    BROKEN,
    lambda p: p["buildDefinition"].update(BuildType="x"),
    "the provenance's build has keys that differ only in case",
)
changed("a key more", BROKEN, lambda p: p.update(more=1), "do not belong")
changed(
    "a key more in the build",
    BROKEN,
    lambda p: p["buildDefinition"].update(more=1),
    "the provenance's build has keys that do not belong there: more",
)
changed(
    "a key more in the run",
    BROKEN,
    lambda p: p["runDetails"].update(more=1),
    "the provenance's run has keys that do not belong there: more",
)
build(
    "of somebody else's build type", NOT_SIGNED, "example.org/x",
    buildType="https://example.org/x",
)  # fmt: skip
build("a build type that is none", BROKEN, "the provenance's build type is not a text", buildType=7)
build("empty parameters", BROKEN, "lacks", externalParameters={})
build(
    "a parameter that is not known", BROKEN, "do not belong",
    externalParameters={**PREDICATE["buildDefinition"]["externalParameters"], "script": "x"},
)  # fmt: skip
build(
    "a parameter that is an object", BROKEN, "the provenance's parameters is not a text",
    externalParameters={**PREDICATE["buildDefinition"]["externalParameters"], "base": {}},
)  # fmt: skip
build(
    "internal parameters that are a list",
    BROKEN,
    "the provenance's internal parameters is not a JSON object",
    internalParameters=[],
)
build("no dependency", BROKEN, "the base image is not among them", resolvedDependencies=[])
build(
    "dependencies that are an object",
    BROKEN,
    "the provenance's dependencies is not a list",
    resolvedDependencies={},
)
dependencies("without the base", BROKEN, lambda found: found[1:], "the base image is not among")
add(
    "with another base than the SBOM names", BROKEN, lambda s: with_base(s, "9" * 64),
    "but the image or its SBOM",
)  # fmt: skip
add("with the base that the SBOM names", OK, lambda s: with_base(s, "b" * 64))
dependencies("a name twice", BROKEN, lambda found: [*found, found[1]], "twice")
dependencies("one without a name", BROKEN, lambda found: [*found, {"uri": "x"}], "lacks name")
dependencies(
    "one with an empty name",
    BROKEN,
    lambda f: [*f, {"name": "", "uri": "x"}],
    "the provenance's dependencies: one has no name, or no URI",
)
dependencies(
    "a URI that writes a line of its own",
    OK,
    lambda f: [{**f[0], "uri": "pkg:oci/x\nsigner    x"}, *f[1:]],
    "          on pkg:oci/x\\x0asigner    x",
)
dependencies("one without a URI", BROKEN, lambda found: [*found, {"name": "x"}], "lacks uri")
for label, (digest, words) in {
    "of no algorithm": ({}, "x has an empty digest"),
    "of MD5": ({"md5": "0" * 32}, "x has no digest that is understood"),
    "too short": ({"sha256": "0" * 63}, "x has no digest that is understood"),
    "in capitals": ({"sha256": "A" * 64}, "x has no digest that is understood"),
    "in two cases": (
        {"sha256": "0" * 64, "SHA256": "0" * 64},
        "x has keys that differ only in case",
    ),
    "a text": ("0" * 64, "x is not a JSON object"),
}.items():
    dependencies(
        f"a digest that is {label}", BROKEN,
        lambda found, d=digest: [*found, {"name": "x", "uri": "x", "digest": d}],
        f"the provenance's dependencies: {words}",
    )  # fmt: skip
run("by another builder", BROKEN, "but https://gitlab.com", builder={"id": TOPIC})
run("by nobody", BROKEN, "the provenance's builder lacks id", builder={})
run("by an empty builder", BROKEN, "the provenance's builder is , but ", builder={"id": ""})
run(
    "with a version that is no text",
    BROKEN,
    "the provenance's builder is not a text",
    builder={"id": IDENTITY, "version": {"x": 1}},
)
run(
    "by another job of the pipeline", BROKEN, "names the job",
    metadata={"invocationId": "https://gitlab.com/immutable-base/immutable-base/-/jobs/2"},
)  # fmt: skip
run(
    "by the same job on a host of another name", OK,
    metadata={"invocationId": "https://gitlab.example/immutable-base/immutable-base/-/jobs/1"},
)  # fmt: skip
run("without metadata", OK, metadata={})
run(
    "metadata with a key more",
    BROKEN,
    "the provenance's metadata has keys that do not belong there: more",
    metadata={"more": "x"},
)
run(
    "a time that is none",
    BROKEN,
    "the provenance's metadata has times that are none, or an end before its beginning",
    metadata={"finishedOn": "yesterday"},
)
run(
    "an end before the beginning", BROKEN, "end before",
    metadata={"startedOn": "2026-11-18T04:00:00Z", "finishedOn": "2026-11-18T03:59:59Z"},
)  # fmt: skip
run("no byproducts", BROKEN, "another full SBOM", byproducts=[])
run(
    "with another full SBOM than the attested one names", BROKEN, "another full SBOM",
    byproducts=[{"name": "full-sbom", "digest": {"sha256": "0" * 64}}],
)  # fmt: skip
run(
    "a byproduct twice", BROKEN, "twice",
    byproducts=[*PREDICATE["runDetails"]["byproducts"], PREDICATE["runDetails"]["byproducts"][0]],
)  # fmt: skip
run(
    "a byproduct without a digest",
    BROKEN,
    "the provenance's byproducts lacks digest",
    byproducts=[{"name": "x"}],
)
add(
    "stated by another branch", OTHERS,
    lambda s: s.set_prov(s.prov(provenance(s.digest, predicate(FULL, TOPIC)), leaf=s.leaf(identity=TOPIC))), "refs/heads/topic",
)  # fmt: skip
add(
    "with a foreign SCT", BROKEN, lambda s: s.set_prov(s.prov(leaf=s.leaf(ct_key=new_key()))), "no trusted CT log has signed for the certificate",
)  # fmt: skip
add("logged elsewhere", BROKEN, lambda s: s.set_prov(s.prov(log=s.foreign)), "not trusted")
add(
    "another statement was signed",
    BROKEN,
    lambda s: s.set_prov(s.prov(signed=b"{}")),
    "the attestation's signature does not hold",
)
add(
    "in an envelope with two signatures", BROKEN,
    lambda s: s.set_prov(s.prov(write=lambda p, g: json.dumps({
        "payloadType": "application/vnd.in-toto+json", "payload": p, "signatures": [{"sig": g}] * 2,
    }).encode())), "the attestation's envelope has 2 signatures, not one",
)  # fmt: skip
