"""Images that are none, registries that send much, and an SBOM that says what an image does not."""

import json

import pytest

from support.complete import artifact, full_of, naming, predicate
from support.forge import IDENTITY, LISTED, attestation, compact, digest_of, provenance, statement
from support.scene import BROKEN, OK, PATH, REFUSED, UNKNOWN
from support.web import Reply

LONG = "x" * 2_000_000
LONGEST_ANSWER = 5000
"""Characters of an error that a person can still read."""


def sign_as_it_is(scene, **changes):
    """Let the signer have signed and attested an image whose manifest differs."""
    manifest = {**json.loads(scene.registry.manifests[scene.digest]), **changes}
    raw = compact(manifest)
    scene.digest = digest_of(raw)
    scene.registry.manifests.update({scene.digest: raw, "latest": raw})
    scene.registry.attach(scene.digest, "sig", scene.sig())
    scene.set_att(scene.att())
    scene.registry.refer(scene.digest)


def configured(scene, **changes):
    """Return the descriptor of the image's configuration, with changes."""
    return {**json.loads(scene.registry.manifests[scene.digest])["config"], **changes}


def test_an_image_that_was_signed_as_it_is_holds(scene):
    sign_as_it_is(scene, annotations={"a": "b"})
    assert scene.verify().code == OK


@pytest.mark.parametrize(
    "kind",
    ["", "text/plain", "application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.v1+json"],
)  # fmt: skip
def test_two_media_types_that_do_not_belong_together_are_no_image_even_if_it_is_signed(scene, kind):
    sign_as_it_is(scene, mediaType=kind, config=configured(scene, mediaType=""))
    assert scene.verify().code == REFUSED


def an_index(scene):
    entry = {"digest": LONG, "platform": {"os": "linux", "architecture": "amd64"}}
    return {"manifests": [entry] * 3}


@pytest.mark.parametrize(
    "changes",
    [
        lambda scene: {"mediaType": LONG},
        lambda scene: {"config": configured(scene, mediaType=LONG)},
        an_index,
    ],
    ids=["media type", "configuration", "index"],
)
def test_a_registry_that_says_much_does_not_fill_the_terminal(scene, changes):
    manifest = json.loads(scene.registry.manifests[scene.digest])
    scene.registry.manifests["latest"] = raw = compact({**manifest, **changes(scene)})
    scene.registry.manifests[digest_of(raw)] = raw
    outcome = scene.verify()
    assert outcome.code == REFUSED
    assert len(outcome.err) < LONGEST_ANSWER


def test_nor_does_a_configuration(scene):
    scene.registry.add_image(os=LONG, tag="latest")
    outcome = scene.verify()
    assert outcome.code == REFUSED
    assert len(outcome.err) < LONGEST_ANSWER


@pytest.mark.parametrize("part", ["subject", "layers"])
def test_nor_does_an_artifact_beside_the_image(scene, part):
    layer = {"mediaType": "application/vnd.cyclonedx+json", "size": 7, "digest": LONG}
    other = {"subject": {"digest": LONG}} if part == "subject" else {"layers": [layer]}
    manifest, entry = artifact(scene.digest, b"{}", **other)
    scene.registry.manifests[entry["digest"]] = manifest
    scene.registry.list_referrers(scene.digest, entry)
    outcome = scene.verify()
    assert outcome.code == 17
    assert len(outcome.err) < LONGEST_ANSWER


def test_a_list_of_referrers_is_not_kept_however_long_it_is(scene):
    """Each of its pages may be as long as a manifest; all of them together may not."""
    path = f"/v2/{PATH}/referrers/{scene.digest}"
    asked = []

    def answer(_):
        asked.append(path)
        page = b'{"manifests":[]}' + b" " * 3_000_000
        return Reply(page, headers={"Link": f'<{path}?n={len(asked)}>; rel="next"'})

    scene.replies[path] = answer
    scene.registry.has_referrers = True
    assert scene.verify().code == UNKNOWN
    assert len(asked) == 3


def test_a_configuration_that_claims_to_be_smaller_is_no_reason_to_ask_for_ever(scene):
    """Whoever may push could let every publication end with "nothing can be known"."""
    raw = compact({"os": "linux", "architecture": "amd64"})
    digest = scene.registry.add_blob(raw)
    sign_as_it_is(scene, config=configured(scene, digest=digest, size=len(raw) - 1))
    assert scene.verify().code == REFUSED


# ------------------------------------------------------------------ which base an SBOM names

SAID = {"name": "immutable-base:base", "value": f"registry.example/x@sha256:{'b' * 64}"}
WRONG = {**SAID, "value": f"registry.example/x@sha256:{'9' * 64}"}


def with_properties(scene, *properties):
    """Attest an SBOM whose component has these, with a provenance that fits otherwise."""
    listed = {**LISTED, "metadata": {"component": {"name": "x", "properties": list(properties)}}}
    full = full_of(listed)
    scene.registry.refer(scene.digest, full)
    sbom = attestation(scene.instance, statement(scene.digest, naming(listed, full)))
    stated = scene.prov(provenance(scene.digest, predicate(full, IDENTITY)))
    scene.registry.attach(scene.digest, "att", sbom, stated)


@pytest.mark.parametrize("odd", [{"value": "x"}, {}, None, 7, {"name": None}, {"name": ["x"]}])
def test_an_odd_property_does_not_hide_another_base(scene, odd):
    with_properties(scene, odd, WRONG)
    assert scene.verify().code == BROKEN
    with_properties(scene, odd, SAID)
    assert scene.verify().code == OK


@pytest.mark.parametrize("value", ["registry.example/x", "", None, 7, SAID["value"].upper()])
def test_a_base_that_is_not_pinned_is_another_one(scene, value):
    with_properties(scene, {**SAID, "value": value})
    assert scene.verify().code == BROKEN


@pytest.mark.parametrize(
    ("label", "code"),
    [(f"sha256:{'b' * 64}", OK), (f"sha256:{'9' * 64}", BROKEN), ("latest", BROKEN), (7, REFUSED), (None, REFUSED)],
)  # fmt: skip
def test_the_base_that_an_image_names_is_compared_as_well(scene, label, code):
    labels = {"org.opencontainers.image.base.digest": label}
    raw = compact({"os": "linux", "architecture": "amd64", "config": {"Labels": labels}})
    digest = scene.registry.add_blob(raw)
    sign_as_it_is(scene, config=configured(scene, digest=digest, size=len(raw)))
    assert scene.verify().code == code


def test_every_base_that_an_sbom_names_is_compared(scene):
    with_properties(scene, SAID, WRONG)
    assert scene.verify().code == BROKEN


def test_what_is_no_list_of_properties_names_no_base(scene):
    for metadata in ({"component": {"properties": "x"}}, {"component": None}, {}):
        listed = {**LISTED, "metadata": metadata}
        full = full_of(listed)
        scene.registry.refer(scene.digest, full)
        sbom = attestation(scene.instance, statement(scene.digest, naming(listed, full)))
        stated = scene.prov(provenance(scene.digest, predicate(full, IDENTITY)))
        scene.registry.attach(scene.digest, "att", sbom, stated)
        assert scene.verify().code == OK


# ------------------------------------------------------------------ odd words in what is attested


@pytest.mark.parametrize("key_id", [7, None, {"a": 1}, ["x"]])
def test_a_key_id_is_a_text(scene, key_id):
    def write(payload, signature):
        return compact({
            "payloadType": "application/vnd.in-toto+json", "payload": payload,
            "signatures": [{"keyid": key_id, "sig": signature}],
        })  # fmt: skip

    scene.set_att(scene.att(write=write))
    assert scene.verify().code == BROKEN


@pytest.mark.parametrize("name", [7, None, ["x"]])
def test_the_name_of_a_subject_is_a_text(scene, name):
    subject = [{"name": name, "digest": {"sha256": scene.digest[7:]}}]
    scene.set_att(scene.att(statement(scene.digest, subject=subject)))
    assert scene.verify().code == BROKEN


def test_each_subject_counts_and_their_order_does_not(scene):
    ours, other = ({"digest": {"sha256": digits}} for digits in (scene.digest[7:], "2" * 64))
    for subject in ([ours, other], [other, ours], [ours, ours]):
        scene.set_att(scene.att(statement(scene.digest, subject=subject)))
        assert scene.verify().code == OK
