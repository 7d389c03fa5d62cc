"""On which base an instance is built, and on which it is not."""

import json

import pytest

from immutable_base.errors import (
    BrokenProofError,
    ConfigurationError,
    NoSuchImageError,
    NotSignedError,
    OtherSignerError,
    VerificationError,
)
from immutable_base.instance.detect import detect_changes
from immutable_base.instance.verbs import carry_out
from immutable_base.model.instance import DecisionRule, InstanceOutcome
from immutable_base.model.sbom import full_sbom_path
from immutable_base.verification.attestation import CYCLONEDX, PROVENANCE
from immutable_base.workspace import file_digest
from support.complete import write_sboms
from support.forge import NOW, digest_of
from support.instance_walk import change, go, rules, walk
from support.instance_world import BASE, BASE_IDENTITY, IDENTITY


def test_an_unsigned_base_is_refused_before_anything_is_built(world):
    world.publish_base(words="unsigned", signed=False)
    with pytest.raises(NotSignedError):
        go(world)
    assert not (world.folder / "workspace/instance/decision.json").exists()


def test_a_base_signed_by_somebody_else_is_refused(world):
    world.publish_base(words="theirs", identity=IDENTITY)
    with pytest.raises(OtherSignerError):
        go(world)


def test_an_earlier_decision_does_not_survive_one_that_fails(world):
    go(world)
    world.publish_base(words="unsigned", signed=False)
    with pytest.raises(NotSignedError):
        go(world)
    with pytest.raises(ConfigurationError, match=r"there is no .*decision"):
        carry_out(world.context, "build", lambda _: None)


def test_a_base_without_any_image_is_waited_for(world):
    world.registries[BASE].manifests.clear()
    decision, result = walk(world)
    assert (decision.outcome, rules(decision)) == (
        InstanceOutcome.WAIT,
        [DecisionRule.BASE_ON_HOLD],
    )
    assert (result.outcome, world.built) == ("wait", [])


def test_a_base_by_a_digest_that_has_gone_is_an_error(world):
    world.commit({"Containerfile": f"FROM {BASE}@sha256:{'0' * 64}\n"})
    with pytest.raises(NoSuchImageError, match="is gone") as caught:
        go(world)
    assert caught.value.exit_code == 16


def test_a_digest_counts_and_not_the_tag_beside_it(world):
    first = world.publish_base(words="night 1")
    world.publish_base(words="night 2", when=NOW + 60)
    world.commit({"Containerfile": f"FROM {BASE}:latest@{first}\n"})
    assert go(world).base.digest == first


def test_a_base_that_lost_its_signature_since_the_decision_is_not_built_on(world):
    decision = go(world)
    world.registries[BASE].manifests.pop(f"{decision.base.digest.replace(':', '-')}.sig")
    with pytest.raises(NotSignedError):
        carry_out(world.context, "build", lambda _: None)
    assert world.built == []


def without_attestation(world, digest):
    world.registries[BASE].manifests.pop(f"{digest.replace(':', '-')}.att")


def without_sbom(world, digest):
    world.attested[BASE, digest].pop(CYCLONEDX)
    world.registries[BASE].attach(digest, "att", *world.attested[BASE, digest].values())


def with_the_sbom_of_another_image(world, digest):
    other = world.publish_base(words="another", tag="another")
    stolen = world.attested[BASE, other][CYCLONEDX]
    provenance = world.attested[BASE, digest][PROVENANCE]
    world.registries[BASE].attach(digest, "att", stolen, provenance)


SPOILED = [
    (without_attestation, NotSignedError),
    (without_sbom, NotSignedError),
    (with_the_sbom_of_another_image, BrokenProofError),
]


@pytest.mark.parametrize(("spoil", "error"), SPOILED)
def test_a_base_that_is_signed_and_has_no_sbom_of_its_own_is_refused(world, spoil, error):
    """The signature alone holds: only the attestation was spoiled."""
    spoil(world, world.publish_base(words="spoiled"))
    with pytest.raises(error, match="SBOM"):
        go(world, "build", forced=True)
    assert world.built == []
    assert not (world.folder / "workspace/instance/decision.json").exists()


@pytest.mark.parametrize(("spoil", "error"), SPOILED)
def test_a_base_whose_sbom_was_spoiled_since_the_decision_is_not_built_on(world, spoil, error):
    spoil(world, go(world).base.digest)
    with pytest.raises(error, match="SBOM"):
        carry_out(world.context, "build", lambda _: None)
    assert world.built == []


# ------------------------------------------------------------------ a base on hold


def test_a_schedule_waits_while_the_nights_of_the_base_are_on_hold(world):
    """The base's last image stays where it is and grows old; nothing else of its project is read."""
    text = "schema_version = 1\n[base]\nmaximum_age_days = 2\n"
    world.commit({"immutable-base-instance.toml": text})
    decision, result = walk(world)
    assert (decision.outcome, result.outcome) == (InstanceOutcome.REBUILD, "done")
    before, built = world.tags(), list(world.built)
    world.now = NOW + 2 * 86400 + 60
    world.commit({"role": "changed, and it waits all the same"})
    decision, result = walk(world)
    assert (decision.outcome, rules(decision)) == (
        InstanceOutcome.WAIT, [DecisionRule.BASE_ON_HOLD],
    )  # fmt: skip
    assert (result.outcome, world.built, world.tags()) == ("wait", built, before)
    world.publish_base(words="the hold is over", when=world.now - 60)
    decision, result = walk(world)
    assert (set(rules(decision)), result.outcome) == (
        {DecisionRule.BASE, DecisionRule.FILES}, "done",
    )  # fmt: skip


# ------------------------------------------------------------------ a base that is older


@pytest.fixture
def moved_back(world):
    """Published on tonight's base; then the tag names a genuine one of the night before."""
    older = world.publish_base(words="night 1")
    world.publish_base(words="night 2", when=NOW + 3600)
    walk(world)
    world.registries[BASE].manifests["latest"] = world.registries[BASE].manifests[older]
    world.built.clear()
    return world


def test_a_tag_that_was_moved_back_to_an_older_base_is_refused(moved_back):
    for source in ("schedule", "push", "web"):
        moved_back.environment["CI_PIPELINE_SOURCE"] = source
        with pytest.raises(VerificationError, match="older base") as caught:
            go(moved_back, forced=True)
        assert caught.value.exit_code == VerificationError.exit_code
    assert "IMMUTABLE_BASE_OLDER_BASE=true" in caught.value.hint
    assert not (moved_back.folder / "workspace/instance/decision.json").exists()


def test_an_older_base_is_accepted_where_somebody_says_so(moved_back):
    decision = detect_changes(moved_back.context, older_base=True)
    assert rules(decision) == [DecisionRule.BASE]
    moved_back.environment["IMMUTABLE_BASE_OLDER_BASE"] = "true"
    assert rules(go(moved_back)) == [DecisionRule.BASE]
    moved_back.environment["IMMUTABLE_BASE_OLDER_BASE"] = "perhaps"
    with pytest.raises(ConfigurationError, match="neither true nor false"):
        go(moved_back)


def test_an_older_base_by_its_digest_is_the_containerfile_s_own_choice(moved_back):
    older = digest_of(moved_back.registries[BASE].manifests["latest"])
    moved_back.commit({"Containerfile": f"FROM {BASE}:latest@{older}\n"})
    assert go(moved_back).base.digest == older


def test_another_tag_is_the_containerfile_s_own_choice(moved_back):
    older = digest_of(moved_back.registries[BASE].manifests["latest"])
    moved_back.registries[BASE].manifests["20261117"] = moved_back.registries[BASE].manifests[older]
    moved_back.commit({"Containerfile": f"FROM {BASE}:20261117\n"})
    assert go(moved_back).base.digest == older


def test_an_older_base_that_is_signed_anew_is_the_newest(moved_back):
    older = digest_of(moved_back.registries[BASE].manifests["latest"])
    moved_back.sign(BASE, older, BASE_IDENTITY, when=NOW + 7200)
    assert go(moved_back).base.digest == older


def test_of_an_image_that_does_not_say_how_old_its_base_was_none_is_refused(world):
    """Images of an earlier release."""
    older = world.publish_base(words="night 1")
    world.publish_base(words="night 2", when=NOW + 3600)
    go(world, "build", "check", "sbom")
    world.packages = {}
    path = world.folder / "workspace/instance/sbom.cdx.json"
    document = json.loads(path.read_text())
    properties = document["metadata"]["component"]["properties"]
    kept = [it for it in properties if "signed-at" not in it["name"]]
    assert len(kept) == len(properties) - 1
    document["metadata"]["component"]["properties"] = kept
    write_sboms(path, document)
    full = file_digest(full_sbom_path(path))
    change(world, "sbom.json", sha256=file_digest(path), full_sha256=full)
    carry_out(world.context, "publish", lambda _: None)
    world.registries[BASE].manifests["latest"] = world.registries[BASE].manifests[older]
    assert rules(go(world)) == [DecisionRule.BASE]
