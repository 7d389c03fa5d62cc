"""What is put beside an image by somebody else ends no verification, whatever it claims of its size."""

import json

import pytest

from immutable_base.verification.attached import MOST_FETCHED, MOST_ITEMS
from immutable_base.verification.complete.full_sbom import MEDIA_TYPE, MOST_LOOKED_AT
from support.complete import artifact
from support.forge import FULL, NOW, digest_of, statement
from support.full_sbom_cases import FULL_SBOM
from support.scene import BROKEN, OK, PATH, UNKNOWN
from support.web import Reply


def smaller(layer, size=1):
    return {**layer.descriptor(), "size": size}


def put(scene, kind, *layers, sizes):
    """Put items under a tag, of which the first ones claim to be as small as `sizes` says."""
    for layer in layers:
        scene.registry.add_blob(layer.content)
    claims = [smaller(layer, size) for layer, size in zip(layers, sizes, strict=False)]
    honest = [layer.descriptor() for layer in layers[len(sizes) :]]
    scene.registry.attach_raw(scene.digest, kind, claims + honest)


def a_signature(scene):
    put(scene, "sig", scene.sig(), scene.sig(), sizes=[1])


def a_signature_of_a_long_text(scene):
    """It has the size of an attestation, which may well be under the tag of the signatures."""
    long = scene.sig(scene.payload() + b" " * 70_000)
    put(scene, "sig", long, scene.sig(), sizes=[5])


def an_attestation(scene):
    put(scene, "att", scene.att(), scene.att(), scene.prov(), sizes=[1])


def a_full_sbom(scene):
    layer = {"mediaType": MEDIA_TYPE, "digest": digest_of(FULL), "size": 1}
    manifest, wrong = artifact(scene.digest, FULL, layers=[layer])
    scene.registry.manifests[wrong["digest"]] = manifest
    _, right = artifact(scene.digest, FULL)
    scene.registry.list_referrers(scene.digest, wrong, right)


@pytest.mark.parametrize("spoil", [a_signature, a_signature_of_a_long_text, an_attestation, a_full_sbom])  # fmt: skip
def test_a_neighbour_that_claims_to_be_smaller_than_it_is_counts_for_nothing(scene, spoil):
    spoil(scene)
    outcome = scene.verify()
    assert outcome.code == OK, outcome.err


def test_only_so_many_items_are_fetched(scene):
    """Each of these is by us, of another image, and newer than the good one."""
    many = [
        scene.sig(scene.payload(f"sha256:{number:064x}"), leaf=leaf, when=NOW + 100)
        for leaf in [scene.leaf()]
        for number in range(MOST_FETCHED + 20)
    ]
    scene.set_sig(*many, scene.sig())
    before = len(scene.site.requests)
    assert scene.verify().code == OK
    asked = [path for path in scene.site.requests[before:] if "/blobs/" in path]
    assert len(asked) <= MOST_FETCHED + len(["configuration", "SBOM", "provenance", "full SBOM"])


def of_another_image(scene, number, when):
    """Put an attestation of ours, newer than the good one: of another variant, or another night."""
    stated = statement(f"sha256:{number:064x}")
    layer = scene.att(stated, leaf=scene.leaf(when=when - 5), when=when, index=100 + number)
    scene.registry.add_blob(layer.content)
    return layer


MANY = MOST_FETCHED + 5


def one_of_ours_copied(scene):
    return [of_another_image(scene, 1, NOW + 100).descriptor()] * MANY


def one_of_ours_copied_with_other_sizes(scene):
    layer = of_another_image(scene, 1, NOW + 100).descriptor()
    return [{**layer, "size": layer["size"] - number} for number in range(MANY)]


def one_of_ours_copied_with_other_signatures(scene):
    layer = of_another_image(scene, 1, NOW + 100)
    return [layer.noted(signature=f"c{number:03}").descriptor() for number in range(MANY)]


def one_of_each_later_night(scene):
    nights = range(1, MANY)
    return [of_another_image(scene, it, NOW + 86_400 * it).descriptor() for it in nights]


@pytest.mark.parametrize(
    "others",
    [
        one_of_ours_copied,
        one_of_ours_copied_with_other_sizes,
        one_of_ours_copied_with_other_signatures,
        one_of_each_later_night,
    ],
)
def test_attestations_of_ours_to_other_images_hide_none_to_this_one(scene, others):
    """Copies are free to make for whoever may push; no signer has to help (S5)."""
    good = [scene.att(), scene.prov()]
    for layer in good:
        scene.registry.add_blob(layer.content)
    many = others(scene)
    scene.registry.attach_raw(scene.digest, "att", many + [layer.descriptor() for layer in good])
    outcome = scene.verify()
    assert outcome.code == OK, outcome.err


@pytest.mark.parametrize("claim", [{"signature": "Y29waWVk"}, None])
def test_copies_of_a_good_signature_hide_it_not(scene, claim):
    """Nothing but the signature beside it differs, which nobody vouches for."""
    good = scene.sig()
    scene.registry.add_blob(good.content)
    copies = [
        (good.noted(**claim) if claim else good).descriptor()
        if number % 2
        else {**good.descriptor(), "size": 1 + number}
        for number in range(2 * MANY)
    ]
    scene.registry.attach_raw(scene.digest, "sig", [*copies, good.descriptor()])
    outcome = scene.verify()
    assert outcome.code == OK, outcome.err


@pytest.mark.parametrize(("lost", "code"), [(False, OK), (True, FULL_SBOM)])
def test_only_so_many_artifacts_are_looked_at_and_more_hide_no_full_sbom(scene, lost, code):
    entries = []
    for number in range(MOST_LOOKED_AT + 5):
        manifest, entry = artifact(scene.digest, b"{}", annotations={"number": str(number)})
        scene.registry.manifests[entry["digest"]] = manifest
        entries.append(entry)
    _, ours = artifact(scene.digest, FULL)
    before = len(scene.site.requests)
    scene.registry.list_referrers(scene.digest, *entries, ours)
    if lost:
        del scene.registry.blobs[digest_of(FULL)]
    outcome = scene.verify("--format", "json")
    assert outcome.code == code, outcome.err
    assert lost or json.loads(outcome.out)["full_sbom"]["referrer"] == ""
    listed = {f"/v2/{PATH}/manifests/{entry['digest']}" for entry in entries}
    assert len(listed & set(scene.site.requests[before:])) == MOST_LOOKED_AT


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        (MOST_ITEMS - 1, 0, OK),
        (MOST_ITEMS, 0, OK),
        (2 * MOST_ITEMS, 0, OK),
        (0, 2 * MOST_ITEMS, OK),
        (MOST_ITEMS // 2, MOST_ITEMS // 2, BROKEN),
    ],
)
def test_of_too_many_items_the_first_and_the_last_are_looked_at(scene, before, after, code):
    """The publisher's program appends, so junk that was there before cannot hide what it signs."""
    good = scene.sig()
    junk = [{"mediaType": good.media_type}]
    layers = [*junk * before, good.descriptor(), *junk * after]
    scene.registry.attach_raw(scene.digest, "sig", layers)
    assert scene.verify().code == code


def test_alone_it_is_no_proof(scene):
    put(scene, "sig", scene.sig(), sizes=[1])
    outcome = scene.verify()
    assert outcome.code == BROKEN
    assert "does not have what its manifest names" in outcome.err


@pytest.mark.parametrize("status", [403, 500])
def test_an_error_with_many_words_is_no_content_that_is_too_large(scene, status):
    path = f"/v2/{PATH}/blobs/{digest_of(scene.sig().content)}"
    scene.replies[path] = Reply(b"x" * 100_000, status)
    assert scene.verify().code == UNKNOWN
