"""Signatures by a key count only if a host would count them: key, digest, repository and tag."""

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from immutable_base.publish.by_key import LARGEST, MOST_FETCHED, tags_signed_by
from support.forge import (
    Instance,
    Layer,
    MemoryRegistry,
    compact,
    key_signature,
    public_pem,
    signature,
    simple_signing,
)

KEY, OTHER = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
PEM = public_pem(KEY).decode()
REPOSITORY = "registry.example/os/base"
REGISTRY = MemoryRegistry()
DIGEST, ANOTHER = REGISTRY.add_image("one"), REGISTRY.add_image("two")
GOOD = key_signature(KEY, DIGEST, f"{REPOSITORY}:latest")


def tags(*layers, key=PEM, repository=REPOSITORY):
    registry = MemoryRegistry()
    registry.attach(DIGEST, "sig", *layers)
    return tags_signed_by(registry, repository=repository, digest=DIGEST, key=key)


def test_each_tag_that_the_key_has_signed_for_is_found():
    other = key_signature(KEY, DIGEST, f"{REPOSITORY}:20261126")
    assert tags(GOOD, other) == {"latest", "20261126"}


SPOILT = {
    "by another key": key_signature(OTHER, DIGEST, f"{REPOSITORY}:latest"),
    "of another image": key_signature(KEY, ANOTHER, f"{REPOSITORY}:latest"),
    "for another repository": key_signature(KEY, DIGEST, "registry.example/os/other:latest"),
    "for no tag": key_signature(KEY, DIGEST, REPOSITORY),
    "of another text": key_signature(KEY, DIGEST, f"{REPOSITORY}:latest", signed=b"other"),
    "no Base64": key_signature(KEY, DIGEST, f"{REPOSITORY}:latest", text="%"),
    "another type": key_signature(
        KEY, DIGEST, "", payload=simple_signing(DIGEST, f"{REPOSITORY}:latest", type="x")
    ),
    "without the key `optional`": key_signature(
        KEY,
        DIGEST,
        "",
        payload=simple_signing(DIGEST, f"{REPOSITORY}:latest").replace(b',"optional":null', b""),
    ),
    "no JSON": key_signature(KEY, DIGEST, "", payload=b"{"),
    "no text": key_signature(KEY, DIGEST, "", payload=compact({"critical": 7})),
    "no annotation": Layer(GOOD.content, {}),
    "keyless": signature(Instance(), simple_signing(DIGEST, f"{REPOSITORY}:latest")),
}


@pytest.mark.parametrize("layer", SPOILT.values(), ids=SPOILT.keys())
def test_what_a_host_would_not_count_does_not_count(layer):
    assert tags(layer) == set()
    assert tags(layer, GOOD) == {"latest"}, "and does not hide what counts"


def test_an_image_without_signatures_has_none():
    registry = MemoryRegistry()
    found = tags_signed_by(registry, repository=REPOSITORY, digest=DIGEST, key=PEM)
    assert found == set()


def test_content_that_is_not_what_its_digest_says_does_not_count():
    registry = MemoryRegistry()
    registry.attach(DIGEST, "sig", GOOD)
    (blob,) = [name for name, raw in registry.blobs.items() if raw == GOOD.content]
    registry.blobs[blob] = GOOD.content + b" "
    assert tags_signed_by(registry, repository=REPOSITORY, digest=DIGEST, key=PEM) == set()


def test_a_neighbour_that_claims_to_be_smaller_than_it_is_ends_nothing():
    registry = MemoryRegistry()
    registry.attach(DIGEST, "sig", GOOD)
    registry.attach_raw(DIGEST, "sig", [GOOD.descriptor(), {**GOOD.descriptor(), "size": 1}])
    found = tags_signed_by(registry, repository=REPOSITORY, digest=DIGEST, key=PEM)
    assert found == {"latest"}


def test_a_text_that_claims_to_be_long_is_not_fetched():
    registry = MemoryRegistry()
    registry.attach(DIGEST, "sig", GOOD)
    registry.attach_raw(DIGEST, "sig", [{**GOOD.descriptor(), "size": LARGEST + 1}])
    found = tags_signed_by(registry, repository=REPOSITORY, digest=DIGEST, key=PEM)
    assert found == set()
    assert GOOD.descriptor()["digest"] not in registry.asked


def test_junk_before_ours_does_not_hide_it():
    junk = [key_signature(OTHER, DIGEST, f"{REPOSITORY}:{n}") for n in range(MOST_FETCHED + 1)]
    assert tags(*junk, GOOD) == {"latest"}
