"""What cosign 3.1 wrote in the legacy format is verified as what 2.6 wrote, which test_recorded.py changes byte by byte."""

import json

import pytest

from immutable_base.errors import VerificationError
from immutable_base.verification.policy import Demand, Signer
from immutable_base.verification.roots import private_roots
from immutable_base.verification.verify_image import verify_image
from support.forge import MemoryRegistry
from support.paths import ROOT

RECORDED = json.loads((ROOT / "tests/support/recorded_cosign_3.json").read_text())
BESIDE = RECORDED["digest"].replace(":", "-")
DEMAND = Demand(
    signer=Signer(identity=RECORDED["identity"], issuer=RECORDED["issuer"]),
    repositories=(RECORDED["repository"],),
    tag="latest",
)
NOTES = ("dev.cosignproject.cosign/signature", "dev.sigstore.cosign/certificate", "dev.sigstore.cosign/bundle")  # fmt: skip
CHAIN = "dev.sigstore.cosign/chain"


def registry():
    manifests = {name: text.encode() for name, text in RECORDED["manifests"].items()}
    return MemoryRegistry(manifests, {n: text.encode() for n, text in RECORDED["blobs"].items()})


def verify(source):
    trust = {name: RECORDED[name].encode() for name in ("fulcio", "rekor", "ct")}
    roots = private_roots(instance="x", **trust)
    return verify_image(
        source,
        repository=RECORDED["repository"],
        digest=RECORDED["digest"],
        demand=DEMAND,
        roots=roots,
    )


def layers(kind):
    return json.loads(RECORDED["manifests"][f"{BESIDE}.{kind}"])["layers"]


def test_it_is_verified_without_a_chain_beside_it():
    verified = verify(registry())
    assert verified.signature.signed_for == RECORDED["repository"]
    assert verified.sboms[0].document["bomFormat"] == "CycloneDX"
    assert verified.skipped == 0
    beside = [*layers("sig"), *layers("att")]
    assert [layer["annotations"][CHAIN] for layer in beside] == ["", "", ""]


@pytest.mark.parametrize("kind", ["sig", "att"])
@pytest.mark.parametrize("name", NOTES)
def test_no_byte_of_what_vouches_for_it_can_change(kind, name):
    """One in a hundred: the code is the same as for what 2.6 wrote."""
    text = layers(kind)[-1]["annotations"][name]
    for place in range(0, len(text), 101 if len(text) > 200 else 7):
        other = chr(ord(text[place]) ^ 1)
        changed = layers(kind)
        changed[-1]["annotations"][name] = text[:place] + other + text[place + 1 :]
        source = registry()
        source.attach_raw(RECORDED["digest"], kind, changed)
        with pytest.raises(VerificationError):
            verify(source)


def test_no_byte_of_the_attested_sbom_can_change():
    raw = RECORDED["blobs"][layers("att")[-1]["digest"]].encode()
    for place in range(0, len(raw), 53):
        text = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        source = registry()
        changed = layers("att")
        changed[-1] |= {"digest": source.add_blob(text), "size": len(text)}
        source.attach_raw(RECORDED["digest"], "att", changed)
        with pytest.raises(VerificationError):
            verify(source)
