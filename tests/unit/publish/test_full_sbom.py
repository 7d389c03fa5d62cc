"""The full SBOM in the registry: one artifact, and a list of referrers where the registry has none."""

import json

import pytest

from immutable_base.errors import RemoteError, VerificationError
from immutable_base.model.publish import PublicationStatus
from immutable_base.model.sbom import full_sbom_path
from support.complete import digest_of
from support.publish_world import DIGEST

TAG = DIGEST.replace(":", "-")
OTHERS = {"mediaType": "x", "digest": f"sha256:{'7' * 64}", "size": 1, "artifactType": "x"}


def listed(world):
    return json.loads(world.lists[TAG])["manifests"]


def artifact_of(world):
    (entry,) = (it for it in listed(world) if it != OTHERS)
    return entry, json.loads(world.manifests[entry["digest"]])


def test_the_artifact_refers_to_the_image_and_holds_the_document(world, token, publish, image):
    publish()
    entry, manifest = artifact_of(world)
    full = full_sbom_path(image[1]).read_bytes()
    assert manifest["artifactType"] == entry["artifactType"] == "application/vnd.cyclonedx+json"
    assert manifest["subject"]["digest"] == DIGEST
    (layer,) = manifest["layers"]
    assert layer["digest"] == digest_of(full)
    assert world.blobs[layer["digest"]] == full
    assert manifest["config"]["mediaType"] == "application/vnd.oci.empty.v1+json"
    assert world.blobs[manifest["config"]["digest"]] == b"{}"


def test_the_same_document_is_the_same_artifact_and_is_listed_once(world, token, publish):
    publish()
    first = listed(world)
    world.cosign.attestations.clear()
    assert publish().status is PublicationStatus.PUBLISHED
    assert listed(world) == first


def test_what_others_have_listed_stays(world, token, publish):
    world.lists[TAG] = json.dumps({"schemaVersion": 2, "manifests": [OTHERS]}).encode()
    publish()
    assert listed(world)[1:] == [OTHERS]


@pytest.mark.parametrize("junk", [b"hello", b"[]", b'{"manifests":[1]}', b'{"layers":[]}'])
def test_what_lies_where_the_list_belongs_is_named_and_not_written_over(
    world, token, publish, junk
):
    world.lists[TAG] = junk
    with pytest.raises(RemoteError, match="something else lies where the list") as caught:
        publish()
    assert "must delete the tag" in caught.value.hint
    assert TAG in caught.value.hint
    assert world.lists[TAG] == junk
    assert world.tags == {}


@pytest.mark.parametrize("lost", ["list", "artifact", "document"])
def test_a_full_sbom_that_is_lost_is_published_anew(world, token, publish, lost):
    publish()
    entry, manifest = artifact_of(world)
    if lost == "list":
        del world.lists[TAG]
    elif lost == "artifact":
        del world.manifests[entry["digest"]]
    else:
        del world.blobs[manifest["layers"][0]["digest"]]
    world.restart()
    assert publish().status is PublicationStatus.PUBLISHED
    assert "refer" in world.writes()
    assert publish().status is PublicationStatus.UNCHANGED


def test_a_provenance_by_another_build_is_stated_anew(world, token, publish, monkeypatch, image):
    """The image has the same digest, and is said to be made of something else."""
    publish()
    (stored,) = (it for it in world.cosign.attestations[DIGEST] if it.predicate == world.provenances()[0])  # fmt: skip
    stored.predicate["buildDefinition"]["resolvedDependencies"][0]["digest"]["sha256"] = "0" * 64
    world.restart()
    assert publish().status is PublicationStatus.PUBLISHED
    assert len(world.provenances()) == 1
    assert "0" * 64 not in json.dumps(world.provenances())


def test_a_provenance_that_is_not_what_was_attested_moves_no_tag(
    world, token, publish, monkeypatch
):
    real = world.cosign.run

    def spoil(command):
        answer = real(command)
        for document in world.provenances():
            document["runDetails"]["metadata"]["finishedOn"] = "2036-11-18T11:07:40Z"
        return answer

    monkeypatch.setattr(world.cosign, "run", spoil)
    with pytest.raises(VerificationError, match=r"provenance attested for .* is not ours"):
        publish()
    assert world.tags == {}
