"""What an instance does not publish."""

import hashlib
import json
import time

import pytest

from immutable_base.errors import (
    CheckError,
    ConfigurationError,
    ImmutableBaseError,
    OtherSignerError,
    RemoteError,
    VerificationError,
)
from immutable_base.instance.verbs import carry_out
from immutable_base.model.instance import DecisionRule
from immutable_base.model.sbom import SbomRecord, full_sbom_path
from immutable_base.workspace import file_digest
from support.forge import NOW, digest_of
from support.instance_walk import change, go, rules, walk
from support.instance_world import BASE, BASES, IDENTITY, REPOSITORY
from support.sound_image import FACTS

TAKING_ANYTHING = '{"default": [{"type": "insecureAcceptAnything"}]}'


def refused(world, words, kind=ImmutableBaseError):
    with pytest.raises(kind, match=words) as caught:
        carry_out(world.context, "publish", lambda _: None)
    assert world.tags() == {}
    assert not [
        c
        for c in world.commands
        if c.argv[:2] in {("skopeo", "copy"), ("cosign", "sign"), ("cosign", "attest")}
    ]
    return caught.value


def test_without_a_token_nothing_is_published_and_the_lines_are_told(ready, monkeypatch):
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    assert "id_tokens:" in refused(ready, "no identity token", ConfigurationError).hint


WRONG_TOKENS = {
    "another branch": ({"ci_config_ref_uri": IDENTITY[8:].replace("heads/main", "heads/feature")}, "another pipeline"),
    "a tag": ({"ci_config_ref_uri": IDENTITY[8:].replace("heads/main", "tags/v1")}, "another pipeline"),
    "a fork": ({"ci_config_ref_uri": IDENTITY[8:].replace("Acme", "Mallory")}, "another pipeline"),
    "a child pipeline": ({"ci_config_ref_uri": None}, "does not name a pipeline"),
    "a branch that is not protected": ({"ref_protected": "false"}, "not protected"),
    "a token that says nothing of it": ({"ref_protected": None}, "not protected"),
    "another issuer": ({"iss": "https://gitlab.com"}, "issued by"),
    "another audience": ({"aud": "https://gitlab.example"}, "audience"),
}  # fmt: skip


@pytest.mark.parametrize(("changes", "words"), WRONG_TOKENS.values(), ids=WRONG_TOKENS.keys())
def test_a_wrong_identity_publishes_nothing(ready, changes, words):
    ready.set_token(**changes)
    refused(ready, words, VerificationError)


def test_a_wrong_identity_does_not_even_move_tags_of_what_is_published(world):
    walk(world)
    world.registries[REPOSITORY].manifests.pop("latest")
    world.set_token(ref_protected="false")
    with pytest.raises(VerificationError, match="not protected"):
        walk(world)
    assert "latest" not in world.tags()


def test_a_merge_request_builds_and_checks_and_publishes_nothing(world):
    world.environment["CI_PIPELINE_SOURCE"] = "merge_request_event"
    decision, _ = go(world, "build", "check", "sbom")
    assert rules(decision) == [DecisionRule.PUSH, DecisionRule.NEVER_PUBLISHED]
    refused(world, "a merge request publishes nothing", ConfigurationError)


TAMPERED = ("decision.json", "build.json", "inspect.json", "check.json", "sbom.json")


@pytest.mark.parametrize("name", TAMPERED)
def test_a_document_that_was_changed_on_its_way_is_refused_by_its_name(ready, name):
    path = ready.folder / "workspace/instance" / name
    text = path.read_text()
    if name in {"check.json", "sbom.json"}:
        document = json.loads(text)
        path.write_text(json.dumps({**document, "image_id": "0" * 64}))
        refused(ready, f"{name} is about the image 0", VerificationError)
    else:
        path.write_text(text.replace('"schema_version": 1', '"schema_version":  1'))
        refused(ready, f"rests on another {name}", VerificationError)


def test_a_decision_that_names_another_base_is_refused_however_whole_the_rest_is(world):
    go(world)
    theirs = world.publish_base(
        words="theirs",
        identity="https://gitlab.example/mallory//.gitlab-ci.yml@refs/heads/main",
        tag="evil",
    )
    path = world.folder / "workspace/instance/decision.json"
    document = json.loads(path.read_text())
    document["base"]["digest"] = theirs
    path.write_text(json.dumps(document))
    with pytest.raises(OtherSignerError):
        carry_out(world.context, "build", lambda _: None)
    assert world.built == []


@pytest.mark.parametrize("verb", ["build", "publish"])
@pytest.mark.parametrize("reference", [f"{BASE}:latest", f"{BASES}/base:latest"])
def test_a_decision_for_another_variant_of_the_same_signer_is_refused(world, verb, reference):
    """It is genuine, and not what the Containerfile names."""
    go(world, "build", "check", "sbom")
    built = len(world.built)
    other = world.publish_base(words="another variant", repository=f"{BASES}/base")
    change(world, "decision.json", repository=f"{BASES}/base", digest=other, reference=reference)
    with pytest.raises(VerificationError, match="another base than"):
        carry_out(world.context, verb, lambda _: None)
    assert len(world.built) == built


def test_a_decision_for_an_older_base_than_the_digest_in_the_containerfile_is_refused(world):
    older, newer = world.publish_base(words="older"), world.publish_base(words="newer")
    world.commit({"Containerfile": f"FROM {BASE}@{newer}\n"})
    go(world)
    change(world, "decision.json", digest=older)
    with pytest.raises(VerificationError, match="another base than"):
        carry_out(world.context, "build", lambda _: None)
    assert world.built == []


@pytest.mark.parametrize("changes", [{"base": f"{BASE}@sha256:{'0' * 64}"}, {"commit": "0" * 40}])
def test_an_image_of_another_base_or_commit_than_was_decided_is_not_published(ready, changes):
    """However well the documents above name the one that was changed."""
    folder = ready.folder / "workspace/instance"
    change(ready, "build.json", **changes)
    below = {"inspect.json": ("build.json",), "check.json": ("build.json", "inspect.json"),
             "sbom.json": ("build.json", "inspect.json")}  # fmt: skip
    for name, needs in below.items():
        rests_on = json.loads((folder / name).read_text())["rests_on"]
        new = {it: hashlib.sha256((folder / it).read_bytes()).hexdigest() for it in needs}
        change(ready, name, rests_on={**rests_on, **new})
    refused(ready, "not what was decided", VerificationError)


def test_a_decision_about_another_repository_is_refused(ready):
    path = ready.folder / "workspace/instance/decision.json"
    path.write_text(path.read_text().replace(REPOSITORY, f"{REPOSITORY}-2"))
    refused(ready, "the decision is about", VerificationError)


def test_a_changed_layout_or_sbom_is_refused(ready):
    folder = ready.folder / "workspace/instance"
    for path in (folder / "sbom.cdx.json", full_sbom_path(folder / "sbom.cdx.json")):
        before = path.read_bytes()
        path.write_bytes(before + b" ")
        refused(ready, f"{path.name} was changed", VerificationError)
        path.write_bytes(before)
    blob = max((folder / "oci/blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)
    blob.write_bytes(blob.read_bytes() + b" ")
    refused(ready, "was changed", VerificationError)


def test_another_commit_than_the_decided_one_is_not_built(world):
    go(world)
    world.commit({"Containerfile": f"FROM {BASE}:latest\nRUN false\n"})
    with pytest.raises(VerificationError, match="decided was"):
        carry_out(world.context, "build", lambda _: None)
    assert world.built == []


def test_an_image_that_is_not_sound_is_neither_listed_as_such_nor_published(world):
    world.facts["module_trees"] = ("6.12.1", "6.12.2")
    go(world, "build")
    with pytest.raises(CheckError, match="not what its base promised"):
        carry_out(world.context, "check", lambda _: None)
    carry_out(world.context, "sbom", lambda _: None)
    refused(world, "not what its base promised", CheckError)


def test_of_two_pipelines_the_one_with_older_inputs_does_not_publish(ready):
    newer = ready.put(
        REPOSITORY, {"words": "the other pipeline's"}, created=NOW + 3600, tag="latest"
    )
    ready.sign(REPOSITORY, newer, IDENTITY, when=int(time.time()) - 60)
    with pytest.raises(RemoteError, match="another run has published newer inputs"):
        carry_out(ready.context, "publish", lambda _: None)
    assert ready.tags()["latest"] == newer
    assert digest_of(ready.registries[REPOSITORY].manifests["latest"]) == newer


def test_a_document_below_is_read_too_however_well_the_one_above_names_it(ready):
    folder = ready.folder / "workspace/instance"
    inspected = json.loads((folder / "inspect.json").read_text())
    (folder / "inspect.json").write_text(json.dumps({**inspected, "image_id": "0" * 64}))
    record = json.loads((folder / "sbom.json").read_text())
    record["rests_on"]["inspect.json"] = file_digest(folder / "inspect.json")
    (folder / "sbom.json").write_text(json.dumps(record))
    with pytest.raises(VerificationError, match=r"inspect\.json is about the image 0"):
        ready.context.documents.read(SbomRecord)


def test_hosts_of_an_instance_that_can_check_nothing_get_none_unless_that_is_meant(world):
    """It has no `[signing]` of its own, so what counts is what the product says of its variants."""
    world.policies = dict.fromkeys(world.policies, TAKING_ANYTHING)
    world.facts["host_policy"] = FACTS.host_policy.model_copy(update={"files": {}})
    with pytest.raises(CheckError) as caught:
        walk(world)
    assert "nothing-demanded: without a key" in caught.value.details
    assert world.tags() == {}
    text = world.config.read_text()
    world.config.write_text(text.replace("[signing]\n", "[signing]\naccept_everything = true\n", 1))
    walk(world)
    assert "latest" in world.tags()
