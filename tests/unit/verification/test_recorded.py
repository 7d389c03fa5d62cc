"""What the real programs wrote, and that nothing of it can change by a single byte.

Bytes of what is signed, and of what vouches for it, are changed in several ways, one at a time: every one of the short
texts, and one in a few of the long ones, at places that share no factor with the lines of PEM and base64.
"""

import base64
import functools
import json

import pytest

from immutable_base.errors import VerificationError
from immutable_base.verification.attestation import CYCLONEDX, read_sbom
from immutable_base.verification.policy import Demand, Signer
from immutable_base.verification.roots import private_roots
from immutable_base.verification.verify_image import Attestations, verify_image
from support.forge import MemoryRegistry, compact, digest_of
from support.paths import ROOT

RECORDED = json.loads((ROOT / "tests/support/recorded.json").read_text())
BESIDE = RECORDED["digest"].replace(":", "-")
MANIFESTS = {name: text.encode() for name, text in RECORDED["manifests"].items()}
BLOBS = {name: text.encode() for name, text in RECORDED["blobs"].items()}
DEMAND = Demand(
    signer=Signer(identity=RECORDED["identity"], issuer=RECORDED["issuer"]),
    repositories=(RECORDED["repository"],),
    tag="latest",
)
FLIPS = (0x01, 0x20, 0x80)
"""What a byte is combined with: its neighbour, the letter in another case, no ASCII any more."""


@functools.cache
def roots(**other):
    names = ("fulcio", "rekor", "ct")
    return private_roots(
        instance="x", **{name: other.get(name, RECORDED[name]).encode() for name in names}
    )


def registry():
    return MemoryRegistry(dict(MANIFESTS), dict(BLOBS))


def verify(source):
    return verify_image(
        source,
        repository=RECORDED["repository"],
        digest=RECORDED["digest"],
        demand=DEMAND,
        roots=roots(),
    )


def verify_attestation(source):
    """Ask for what is attested alone, as `verify_image` does once the signature holds."""
    pinned = f"{RECORDED['repository']}@{RECORDED['digest']}"
    attested = Attestations.of(source, pinned, f"{BESIDE}.att", DEMAND, roots(), near=())
    attested.each("SBOM attestation", CYCLONEDX, read_sbom)


def test_what_the_real_programs_wrote_is_verified():
    verified = verify(registry())
    assert verified.signature.signed_for == RECORDED["repository"]
    assert verified.signature.claims["source_ref"] == "refs/heads/main"
    assert verified.sboms[0].document["bomFormat"] == "CycloneDX"
    assert verified.skipped == 0


@functools.cache
def layer_of(kind):
    return json.loads(MANIFESTS[f"{BESIDE}.{kind}"])["layers"][0]


def refused(source, ask=verify):
    try:
        ask(source)
    except VerificationError:
        return True
    return False


def changes(raw, step=1):
    """Yield every text that differs from `raw` in one byte."""
    for place in range(0, len(raw), step):
        for flip in FLIPS:
            yield place, flip, raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :]


def survivors(raw, put, step=1, kind="sig"):
    """Return which changed texts are still accepted; `put` makes a registry of one.

    What is attested (`att`) is asked for alone: the signature before it is the same each time.
    """
    ask = verify if kind == "sig" else verify_attestation
    return [
        (place, flip) for place, flip, text in changes(raw, step) if not refused(put(text), ask)
    ]


def with_annotation(kind, name, text):
    layer = layer_of(kind)
    notes = {**layer["annotations"], name: text}
    source = registry()
    source.attach_raw(RECORDED["digest"], kind, [{**layer, "annotations": notes}])
    return source


def annotation_changed(kind, name, step):
    raw = layer_of(kind)["annotations"][name].encode()
    return survivors(
        raw, lambda text: with_annotation(kind, name, text.decode("latin-1")), step, kind
    )


@pytest.mark.parametrize("kind", ["sig", "att"])
@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("dev.cosignproject.cosign/signature", 1),
        ("dev.sigstore.cosign/certificate", 7),
        ("dev.sigstore.cosign/chain", 5),
        ("dev.sigstore.cosign/bundle", 17),
    ],
)
def test_no_byte_of_an_annotation_can_change(kind, name, step):
    assert annotation_changed(kind, name, step) == []


def with_content(kind, text):
    """Return a registry whose item has another content, under the content's own digest."""
    source = registry()
    digest = source.add_blob(text)
    source.attach_raw(
        RECORDED["digest"], kind, [{**layer_of(kind), "digest": digest, "size": len(text)}]
    )
    return source


@pytest.mark.parametrize("kind", ["sig", "att"])
def test_no_byte_of_what_was_signed_can_change(kind):
    raw = BLOBS[layer_of(kind)["digest"]]
    step = 1 if kind == "sig" else 2
    assert survivors(raw, lambda text: with_content(kind, text), step, kind) == []


@pytest.mark.parametrize("kind", ["sig", "att"])
def test_no_byte_can_change_under_the_old_digest(kind):
    raw = BLOBS[layer_of(kind)["digest"]]

    def put(text):
        source = registry()
        source.blobs[layer_of(kind)["digest"]] = text
        return source

    assert survivors(raw, put, 3, kind) == []


def test_no_byte_of_the_image_can_change():
    def put(text):
        source = registry()
        source.manifests[RECORDED["digest"]] = text
        return source

    assert survivors(MANIFESTS["latest"], put) == []
    config = json.loads(MANIFESTS["latest"])["config"]["digest"]

    def put_config(text):
        source = registry()
        source.blobs[config] = text
        return source

    assert survivors(BLOBS[config], put_config) == []


@pytest.mark.parametrize("kind", ["sig", "att"])
@pytest.mark.parametrize("part", ["body", "SignedEntryTimestamp"])
def test_no_byte_of_what_the_log_signed_or_of_its_signature_can_change(kind, part):
    """Beneath base64, where each byte counts."""
    bundle = json.loads(layer_of(kind)["annotations"]["dev.sigstore.cosign/bundle"])
    place = bundle if part in bundle else bundle["Payload"]
    raw = base64.b64decode(place[part])

    def put(text):
        place[part] = base64.b64encode(text).decode()
        return with_annotation(kind, "dev.sigstore.cosign/bundle", compact(bundle).decode())

    assert survivors(raw, put, 13 if part == "body" else 1, kind) == []


def test_no_byte_of_a_signature_can_change_beneath_base64():
    raw = base64.b64decode(layer_of("sig")["annotations"]["dev.cosignproject.cosign/signature"])
    name = "dev.cosignproject.cosign/signature"

    def put(text):
        return with_annotation("sig", name, base64.b64encode(text).decode())

    assert survivors(raw, put) == []


def test_the_test_itself_would_find_a_byte_that_does_not_count():
    for kind, ask in (("sig", verify), ("att", verify_attestation)):
        assert not refused(registry(), ask)
        assert len(survivors(b"abc", lambda text: registry(), 1, kind)) == 3 * len(FLIPS)
    assert digest_of(MANIFESTS["latest"]) == RECORDED["digest"]


def test_what_is_attested_counts_for_the_whole_as_well():
    """As each byte of it does by itself: one in a hundred."""
    raw = BLOBS[layer_of("att")["digest"]]
    sources = [with_content("att", text) for _, _, text in changes(raw, 101)]
    assert len(sources) > 20
    assert all(refused(source, verify) for source in sources)


@pytest.mark.parametrize("name", ["fulcio", "rekor", "ct"])
def test_the_trust_of_another_instance_verifies_nothing(name, instance, monkeypatch):
    from support.forge import pem_of, public_pem

    other = {
        "fulcio": pem_of(instance.root),
        "rekor": public_pem(instance.rekor_key).decode(),
        "ct": public_pem(instance.ct_key).decode(),
    }
    foreign = roots(**{name: other[name]})
    monkeypatch.setitem(globals(), "roots", lambda: foreign)
    assert refused(registry())
