"""The corpus: how a signature is attached, and what lies beside it."""

import json

from support.forge import NOW
from support.scene import BROKEN, NOT_SIGNED, OK, OTHERS
from support.signature_corpus import CASES, OTHER, case, put


@case(NOT_SIGNED, "has no signature")
def no_signature_tag(s):
    s.remove("sig")


@case(NOT_SIGNED, "has no valid signature by")
def a_signature_tag_without_items(s):
    s.set_sig()


@case(NOT_SIGNED, "something else")
def a_signature_tag_with_other_things(s):
    s.registry.attach_raw(
        s.digest, "sig", [{"mediaType": "text/plain", "digest": OTHER, "size": 1}] * 3
    )


@case(NOT_SIGNED, "has no valid signature by")
def the_image_itself_under_the_signature_tag(s):
    s.registry.manifests[f"{s.digest.replace(':', '-')}.sig"] = s.registry.manifests[s.digest]


@case(OK, "1000 items")
def a_thousand_junk_layers_before_the_good_one(s):
    junk = [
        {
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": OTHER,
            "size": 1,
        }
    ]
    s.registry.attach_raw(s.digest, "sig", junk * 1000 + [s.sig().descriptor()])
    s.registry.add_blob(s.sig().content)


@case(OK, "1 items")
def one_layer_that_makes_cosign_panic_beside_the_good_one(s):
    s.set_sig(s.sig().rebundled(put(["Payload", "body"], 7)), s.sig())


@case(OK, "3 items")
def layers_of_every_wrong_form_beside_the_good_one(s):
    good = s.sig()
    s.registry.attach(s.digest, "sig", good)
    s.registry.attach_raw(s.digest, "sig", [7, None, [], good.descriptor()])


@case(OK, "1 items")
def somebody_elses_signature_beside_ours(s):
    s.set_sig(
        s.sig(leaf=s.leaf(identity="https://gitlab.com/x/y//.gitlab-ci.yml@refs/heads/main")),
        s.sig(),
    )


@case(OTHERS, "signed by https://gitlab.com/x/0")
def fifty_signatures_by_others(s):
    s.set_sig(*[s.sig(leaf=s.leaf(identity=f"https://gitlab.com/x/{n}")) for n in range(50)])


@case(OTHERS, "signed by https://gitlab.com/x")
def others_and_junk(s):
    other = s.sig(leaf=s.leaf(identity="https://gitlab.com/x"))
    s.registry.attach_raw(s.digest, "sig", [{"mediaType": other.media_type}, other.descriptor()])


@case(BROKEN, "the entry is in a log that is not trusted")
def others_and_a_broken_one_of_ours(s):
    s.set_sig(s.sig(leaf=s.leaf(identity="https://gitlab.com/x")), s.sig(log=s.foreign))


@case(OTHERS, "signed by https://gitlab.com/x")
def others_and_a_broken_one_of_others(s):
    leaf = s.leaf(identity="https://gitlab.com/x")
    s.set_sig(s.sig(leaf=leaf), s.sig(leaf=leaf, log=s.foreign))


@case(OK)
def older_signatures_of_other_images_by_us_before_the_good_one(s):
    s.set_sig(
        *[s.sig(s.payload("sha256:" + f"{n:064x}"), when=NOW + 100) for n in range(60)], s.sig()
    )


@case(BROKEN, "an item's digest is not a text")
def only_junk(s):
    s.registry.attach_raw(s.digest, "sig", [{"mediaType": s.sig().media_type}] * 3)


@case(BROKEN, "the registry does not have what its manifest names")
def the_registry_lacks_the_signed_text(s):
    s.registry.blobs.pop(next(iter(json.loads(s.registry.manifests[f"{s.digest.replace(':', '-')}.sig"])["layers"]))["digest"])  # fmt: skip


@case(BROKEN, "the registry does not have what its manifest names")
def the_registry_serves_another_text(s):
    layer = s.sig()
    s.registry.blobs[layer.descriptor()["digest"]] = b"x" * len(layer.content)


for label, (raw, words) in {
    "not JSON": (b"hello", " is not strict JSON"),
    "empty": (b"", " is not strict JSON"),
    "a list": (b"[]", " is not a JSON object"),
    "without layers": (b"{}", ": its layers is not a list"),
    "with layers that are a text": (b'{"layers":"x"}', ": its layers is not a list"),
    "with layers twice": (
        b'{"layers":[],"layers":[]}',
        " is not strict JSON: a key stands twice in an object",
    ),
    "with layers in two cases": (
        b'{"layers":[],"Layers":[]}',
        " has keys that differ only in case",
    ),
    "with layers null": (b'{"layers":null}', ": its layers is not a list"),
    "nested too deep": (b"[" * 100_000, " is nested deeper than 64 levels"),
}.items():

    def spoil_manifest(s, raw=raw):
        s.registry.manifests[f"{s.digest.replace(':', '-')}.sig"] = raw

    said = f"the manifest beside the image{words}"
    CASES[f"the signature's manifest is {label}"] = (spoil_manifest, BROKEN, said)


@case(BROKEN, "an item's digest or size is not acceptable")
def an_item_that_claims_to_be_huge(s):
    descriptor = {**s.sig().descriptor(), "size": 10**12}
    s.registry.attach_raw(s.digest, "sig", [descriptor])


@case(BROKEN, "an item's digest or size is not acceptable")
def an_item_of_a_weak_digest(s):
    s.registry.attach_raw(s.digest, "sig", [{**s.sig().descriptor(), "digest": "md5:" + "0" * 32}])


@case(OK)
def everything_good(s):
    pass
