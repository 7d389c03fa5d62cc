"""An instance from its first commit to a published image, and on."""

import dataclasses
import json
import threading
from datetime import UTC, datetime

import pytest

from immutable_base.admission.settings import load_settings
from immutable_base.build.admission_files import FOLDER, SETTINGS, admission_files
from immutable_base.errors import (
    CommandError,
    VerificationError,
)
from immutable_base.instance.verbs import carry_out
from immutable_base.model.instance import DecisionRule, InstanceOutcome
from immutable_base.policy.accepted import HOSTS_ACCEPT
from immutable_base.policy.render import POLICY
from support.forge import NOW, digest_of
from support.instance_walk import STAGES, go, rules, walk
from support.instance_world import BASE, BASE_IDENTITY, IDENTITY, ISSUER, OCI, REPOSITORY
from support.scene import command


def test_the_whole_way(world):
    decision, result = walk(world)
    assert (decision.outcome, rules(decision)) == (
        InstanceOutcome.REBUILD,
        [DecisionRule.NEVER_PUBLISHED],
    )
    assert result.outcome == "done"
    tags = world.tags()
    (day,) = (name for name in tags if name.isdigit())
    assert set(tags) == {"latest", day, f"{day}-{tags['latest'][7:19]}"}
    assert len(set(tags.values())) == 1
    verified = world.context.verifier().verify(REPOSITORY, tags["latest"])
    assert verified.signer.identity == IDENTITY
    publication = json.loads((world.folder / "workspace/instance/publish.json").read_text())
    assert publication["digest"] == tags["latest"]


def test_an_interrupted_job_waits_for_no_registry(world, monkeypatch):
    never = threading.Event()
    monkeypatch.setattr("immutable_base.instance.context.is_interrupted", lambda: True)
    hanging = dataclasses.replace(world.context, open_reader=lambda *where: never.wait())
    for verifier in (hanging.verifier(), hanging.base_verifier(), hanging.publisher().verifier):
        with pytest.raises(CommandError, match="is being interrupted"):
            verifier.verify(REPOSITORY, BASE)
    never.set()


def test_the_base_is_pinned_and_the_tag_is_not_asked_again(world):
    decision = go(world)
    later = world.publish_base(words="night 2", when=NOW + 60)
    carry_out(world.context, "build", lambda _: None)
    ((text, files),) = world.built
    assert f"FROM {BASE}@{decision.base.digest}\n" in text
    assert later not in text
    assert "base-zfs:latest" not in text
    assert files == ("Containerfile",), "the commit's files, and nothing else"
    pulled = [c.argv[-1] for c in world.commands if "pull" in c.argv]
    assert pulled == [f"docker://{BASE}@{decision.base.digest}"]


def test_the_same_inputs_give_the_same_digest(world):
    go(world, "build")
    first = json.loads((world.folder / "workspace/instance/build.json").read_text())
    go(world, "build")
    second = json.loads((world.folder / "workspace/instance/build.json").read_text())
    assert first["digest"] == second["digest"]
    flags = next(c.argv for c in world.commands if "build" in c.argv)
    assert f"--timestamp={NOW}" in flags, "the base is newer than the commit"


def test_a_candidate_has_a_tag_so_that_a_publication_a_day_later_still_finds_it(world):
    """GitLab.com collects manifests without a tag after a day; a job may be started again for longer."""
    go(world)
    carry_out(world.context, "build", lambda _: None, candidate=True)
    built = json.loads((world.folder / "workspace/instance/build.json").read_text())
    repository, _, digest = built["candidate"].partition("@")
    found = world.registries[repository].manifests
    named = [name for name, raw in found.items() if ":" not in name and digest_of(raw) == digest]
    day = datetime.fromtimestamp(world.now, UTC).strftime("%Y%m%d")
    assert (repository, named) == (f"{REPOSITORY}/candidates", [f"{day}-{digest[7:19]}"])


def test_labels_name_base_commit_and_kernel(world):
    decision, _ = go(world, "build")
    labels = json.loads((world.folder / "workspace/instance/build.json").read_text())["labels"]
    assert labels[f"{OCI}.base.digest"] == decision.base.digest
    assert labels[f"{OCI}.base.name"] == f"{BASE}:latest"
    assert labels["io.immutable-base.variant"] == "base-zfs"
    assert labels[f"{OCI}.revision"] == world.git("rev-parse", "HEAD")
    assert labels[f"{OCI}.source"] == world.environment["CI_PROJECT_URL"]
    assert labels[f"{OCI}.title"] == "fileserver"


@pytest.mark.parametrize(
    ("default", "label"),
    [("reject", f"signer {IDENTITY} of {ISSUER}"), ("insecureAcceptAnything", None)],
)
def test_a_label_says_whose_images_its_hosts_take_if_they_demand_any(world, default, label):
    policy = world.folder / "root" / POLICY
    policy.parent.mkdir(parents=True)
    policy.write_text(json.dumps({"default": [{"type": default}]}))
    go(world, "build")
    labels = json.loads((world.folder / "workspace/instance/build.json").read_text())["labels"]
    assert labels.get(HOSTS_ACCEPT) == label


def test_a_host_that_admits_images_of_the_base_admits_those_of_the_instance_instead(world):
    """Else it would refuse every upgrade: the instance is signed by its own pipeline."""
    place = world.folder / "root" / FOLDER
    files = admission_files(world.context.product.trust(), world.config.parent, 0)
    for name, content in {**files, f"{FOLDER}/stale.pem": b"of the base"}.items():
        path = world.folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert load_settings(place / SETTINGS).signer.identity == BASE_IDENTITY
    program = {name for name in files if not name.startswith(FOLDER)}
    decision, _ = go(world, "build")
    found = load_settings(place / SETTINGS)
    assert (found.signer.identity, found.signed_after) == (IDENTITY, decision.epoch)
    assert not (place / "stale.pem").exists()
    assert all((world.folder / "root" / name).is_file() for name in program)


def test_an_image_without_the_program_gets_no_settings_for_it(world):
    go(world, "build")
    assert not (world.folder / "root" / FOLDER).exists()


def test_a_schedule_without_a_change_builds_nothing_and_no_stage_does_anything(world):
    walk(world)
    before = dict(world.tags())
    world.built.clear()
    decision, result = walk(world)
    assert (decision.outcome, rules(decision)) == (
        InstanceOutcome.UNCHANGED,
        [DecisionRule.NOTHING],
    )
    assert result.outcome == "unchanged"
    assert (world.built, world.tags()) == ([], before)


CHANGES = {
    "a new base": (lambda w: w.publish_base(words="night 2", when=NOW + 60), DecisionRule.BASE),
    "a new file": (lambda w: w.commit({"README": "x"}), DecisionRule.FILES),
    "a week": (lambda w: setattr(w, "now", w.now + 8 * 86400), DecisionRule.AGE),
    "a tag that somebody moved": (
        lambda w: w.registries[REPOSITORY].manifests.pop(next(t for t in w.tags() if t.isdigit())), DecisionRule.UNFINISHED,
    ),
    "a signature that is gone": (
        lambda w: w.registries[REPOSITORY].manifests.pop(f"{w.tags()['latest'].replace(':', '-')}.sig"), DecisionRule.UNFINISHED,
    ),
    "an attestation that is gone": (
        lambda w: w.registries[REPOSITORY].manifests.pop(f"{w.tags()['latest'].replace(':', '-')}.att"), DecisionRule.UNFINISHED,
    ),
    "a push": (lambda w: w.environment.update(CI_PIPELINE_SOURCE="push"), DecisionRule.PUSH),
    "somebody": (lambda w: w.environment.update(CI_PIPELINE_SOURCE="web"), DecisionRule.FORCED),
    "a variable": (lambda w: w.environment.update(IMMUTABLE_BASE_FORCE="true"), DecisionRule.FORCED),
}  # fmt: skip


@pytest.mark.parametrize(("change", "rule"), CHANGES.values(), ids=CHANGES.keys())
def test_after_a_change_it_is_built_for_that_reason_alone(world, change, rule):
    walk(world)
    change(world)
    decision = go(world)
    assert (decision.outcome, rules(decision)) == (InstanceOutcome.REBUILD, [rule])


def test_a_commit_that_the_clone_does_not_have_is_said(world):
    walk(world)
    world.git("checkout", "--quiet", "--orphan", "other")
    world.commit({"Containerfile": f"FROM {BASE}:latest\n"})
    world.git("branch", "-D", "main")
    world.git("reflog", "expire", "--expire=all", "--all")
    world.git("gc", "--quiet", "--prune=all")
    (reason,) = go(world).reasons
    assert (reason.rule, "not in this clone" in reason.message) == (DecisionRule.FILES, True)


def test_a_job_that_was_killed_can_be_started_again(world):
    decide = go(world)
    stale = world.context.storage.run_root / "overlay-containers" / "mounted"
    stale.parent.mkdir(parents=True)
    stale.touch()
    (world.folder / "workspace/instance-context").mkdir()
    (world.folder / "workspace/instance/oci").mkdir()
    for stage in (*STAGES, "publish"):
        result = carry_out(world.context, stage, lambda _: None)
    assert not stale.exists()
    assert result.message.startswith("unchanged: ")
    assert world.context.documents.decision() == decide


@pytest.mark.parametrize("action", ["detect-changes", "build", "check", "sbom", "publish"])
def test_a_command_without_a_configuration_ends_in_words(world, tmp_path, action, monkeypatch):
    monkeypatch.setattr("immutable_base.cli.main.must_be_contained", lambda: False)
    done = command(
        [
            "instance",
            action,
            world.repository,
            "--config",
            tmp_path / "none",
            "--workspace",
            tmp_path,
        ]
    )
    assert (done.code, done.out) == (2, "")
    assert "who must have signed base images" in done.err


def test_actions_that_mount_images_run_in_namespaces_and_others_do_not(monkeypatch, tmp_path):
    contained = []
    monkeypatch.setattr("immutable_base.cli.main.must_be_contained", lambda: True)
    monkeypatch.setattr(
        "immutable_base.cli.main.run_again_contained", lambda words: contained.append(words[1]) or 0
    )
    for action in ("doctor", "build", "check", "sbom", "report"):
        command(["instance", action, tmp_path, "--workspace", tmp_path])
    assert contained == ["build", "check", "sbom"]


# ------------------------------------------------------------------ how old an image is


def signatures(world):
    return sum(1 for command in world.commands if command.argv[:2] == ("cosign", "sign"))


def test_an_old_image_that_is_built_to_the_same_digest_is_signed_anew_and_young(world):
    walk(world)
    before, tags = signatures(world), dict(world.tags())
    world.now += 8 * 86400
    decision, result = walk(world)
    assert rules(decision) == [DecisionRule.AGE]
    assert (result.message.partition(":")[0], world.tags()) == ("renewed", tags)
    assert signatures(world) == before + 1
    assert go(world).outcome is InstanceOutcome.UNCHANGED, (
        "its age begins with the newest signature"
    )
    assert go(world).published.signed_at == int(world.now) + 1


def test_a_publication_that_is_started_again_signs_no_second_time(world):
    walk(world)
    world.now += 8 * 86400
    walk(world)
    before = signatures(world)
    assert carry_out(world.context, "publish", lambda _: None).message.startswith("unchanged: ")
    assert signatures(world) == before


def test_an_image_that_is_not_old_is_not_signed_anew(world):
    walk(world)
    before = signatures(world)
    go(world, *STAGES, forced=True)
    assert signatures(world) == before


def test_a_new_signature_that_nobody_finds_is_no_success(world, monkeypatch):
    walk(world)
    world.now += 8 * 86400
    go(world, "build", "check", "sbom")
    monkeypatch.setattr(world, "_cosign", lambda argv, _: json.dumps({"gitVersion": "v2.6.5"}))
    with pytest.raises(VerificationError, match="its newest signature is still that of"):
        carry_out(world.context, "publish", lambda _: None)
