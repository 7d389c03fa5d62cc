"""No byte of a provenance, and of what vouches for it, can change: it is read as it was signed.

Made with keys of the tests' own, as the programs make it; test_recorded.py has what they wrote.
"""

import functools
from dataclasses import replace

import pytest

from immutable_base.errors import VerificationError
from immutable_base.verification.attestation import PROVENANCE
from immutable_base.verification.complete.provenance import KnownOfImage, read_provenance
from immutable_base.verification.policy import Demand, Signer
from immutable_base.verification.verify_image import Attestations
from support.forge import (
    FULL,
    IDENTITY,
    ISSUER,
    Instance,
    MemoryRegistry,
    attestation,
    digest_of,
    provenance,
)

SIGSTORE = Instance()
ROOTS = SIGSTORE.roots()
IMAGES = MemoryRegistry()
DIGEST = IMAGES.add_image("an image")
REPOSITORY = "registry.example/os/base"
DEMAND = Demand(signer=Signer(identity=IDENTITY, issuer=ISSUER), repositories=(REPOSITORY,))
FLIPS = (0x01, 0x20, 0x80)
NOTES = {"bundle": 7, "certificate": 5}
"""Annotation to the distance between the bytes that are changed."""


@functools.cache
def good():
    return attestation(SIGSTORE, provenance(DIGEST))


def provenances(layer):
    """Return what is read of an image with this beside it; raises VerificationError."""
    source = MemoryRegistry(dict(IMAGES.manifests), dict(IMAGES.blobs))
    source.attach(DIGEST, "att", layer)
    pinned, tag = f"{REPOSITORY}@{DIGEST}", f"{DIGEST.replace(':', '-')}.att"
    attested = Attestations.of(source, pinned, tag, DEMAND, ROOTS, near=())
    known = KnownOfImage(bases=frozenset(), full_sbom=digest_of(FULL).removeprefix("sha256:"))
    return attested.each("provenance", PROVENANCE, lambda it: read_provenance(it, known))


def changed(raw, step):
    for place in range(0, len(raw), step):
        for flip in FLIPS:
            yield place, flip, raw[:place] + bytes([raw[place] ^ flip]) + raw[place + 1 :]


def survivors(raw, put, step):
    found = []
    for place, flip, text in changed(raw, step):
        try:
            provenances(put(text))
        except VerificationError:
            continue
        found.append((place, flip))
    return found


def test_it_is_read_as_it_was_signed():
    (found,) = provenances(good())
    assert found.document == provenance(DIGEST)["predicate"]


def test_no_byte_of_its_envelope_can_change():
    raw = good().content
    assert len(raw) > 1000
    assert survivors(raw, lambda text: replace(good(), content=text), 1) == []


@pytest.mark.parametrize(("name", "step"), NOTES.items())
def test_no_byte_of_what_vouches_for_it_can_change(name, step):
    long = {
        "bundle": "dev.sigstore.cosign/bundle",
        "certificate": "dev.sigstore.cosign/certificate",
    }
    raw = good().annotations[long[name]].encode()

    def put(text):
        return good().noted(**{name: text.decode("latin-1")})

    assert survivors(raw, put, step) == []


def test_the_test_itself_would_find_a_byte_that_does_not_count():
    assert len(survivors(b"abc", lambda _: good(), 1)) == 3 * len(FLIPS)
