"""An instance from its first commit to a published image, and on."""

import dataclasses
import hashlib
import json
import threading
import time

import pytest

from immutable_base.admission.settings import load_settings
from immutable_base.build.admission_files import FOLDER, SETTINGS, admission_files
from immutable_base.errors import (
    CheckError,
    CommandError,
    ConfigurationError,
    ImmutableBaseError,
    NoSuchImageError,
    NotSignedError,
    OtherSignerError,
    RemoteError,
    VerificationError,
)
from immutable_base.instance.detect import detect_changes
from immutable_base.instance.verbs import carry_out
from immutable_base.model.instance import DecisionRule, InstanceOutcome
from immutable_base.model.sbom import SbomRecord, full_sbom_path
from immutable_base.workspace import file_digest
from support.complete import write_sboms
from support.forge import NOW, digest_of
from support.instance_world import BASE, BASE_IDENTITY, BASES, IDENTITY, OCI, REPOSITORY
from support.scene import command

STAGES = ("build", "check", "sbom", "publish")


def go(world, *stages, forced=False):
    """Decide, and carry these stages out; returns the decision."""
    decision = detect_changes(world.context, forced=forced)
    for stage in stages:
        result = carry_out(world.context, stage, lambda _: None)
    return (decision, result) if stages else decision


def walk(world):
    return go(world, *STAGES)


def rules(decision):
    return [reason.rule for reason in decision.reasons]


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


def test_labels_name_base_commit_and_kernel(world):
    decision, _ = go(world, "build")
    labels = json.loads((world.folder / "workspace/instance/build.json").read_text())["labels"]
    assert labels[f"{OCI}.base.digest"] == decision.base.digest
    assert labels[f"{OCI}.base.name"] == f"{BASE}:latest"
    assert labels["io.immutable-base.variant"] == "base-zfs"
    assert labels[f"{OCI}.revision"] == world.git("rev-parse", "HEAD")
    assert labels[f"{OCI}.source"] == world.environment["CI_PROJECT_URL"]
    assert labels[f"{OCI}.title"] == "fileserver"


def test_a_host_that_admits_images_of_the_base_admits_those_of_the_instance_instead(world):
    """Else it would refuse every upgrade: the instance is signed by its own pipeline."""
    place = world.folder / "root" / FOLDER
    files = admission_files(world.context.product.trust(), world.config.parent)
    for name, content in {**files, f"{FOLDER}/stale.pem": b"of the base"}.items():
        path = world.folder / "root" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    assert load_settings(place / SETTINGS).signer.identity == BASE_IDENTITY
    program = {name for name in files if not name.startswith(FOLDER)}
    go(world, "build")
    assert load_settings(place / SETTINGS).signer.identity == IDENTITY
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


# ------------------------------------------------------------------ the base


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


# ------------------------------------------------------------------ what may not be published


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


@pytest.fixture
def ready(world):
    """A world in which only the publication is missing."""
    go(world, "build", "check", "sbom")
    return world


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


def change(world, name, **changes):
    """Change a document on its way, in `base` if it is the decision's."""
    path = world.folder / "workspace/instance" / name
    document = json.loads(path.read_text())
    (document["base"] if name == "decision.json" else document).update(changes)
    path.write_text(json.dumps(document))


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
    sbom = (folder / "sbom.cdx.json").read_bytes()
    (folder / "sbom.cdx.json").write_bytes(sbom + b" ")
    refused(ready, "sbom.cdx.json was changed", VerificationError)
    (folder / "sbom.cdx.json").write_bytes(sbom)
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


# ------------------------------------------------------------------ the repository and its configuration

CONTAINERFILES = {
    "missing": (None, "has no Containerfile"),
    "no FROM": ("RUN true\n", "has no FROM"),
    "scratch": ("FROM scratch\n", "FROM scratch"),
    "an argument": ("ARG BASE\nFROM $BASE\n", "argument without a value"),
    "no tag": (f"FROM {BASE}\n", "neither tag nor digest"),
    "a short name": ("FROM base-zfs:latest\n", "does not say which registry"),
    "Docker Hub": ("FROM acme/base:1\n", "does not say which registry"),
    "no reference": (f"FROM {BASE}:a:b\n", "not the reference"),
}


@pytest.mark.parametrize(("text", "words"), CONTAINERFILES.values(), ids=CONTAINERFILES.keys())
def test_a_containerfile_that_names_no_base_is_refused_in_words(world, text, words):
    world.commit({"Containerfile": text, "README": "x"})
    with pytest.raises(ConfigurationError, match=words):
        go(world)


def test_what_is_not_committed_is_not_built_and_said(world):
    (world.repository / "Containerfile").write_text("FROM scratch\n")
    decision, _ = go(world, "build")
    assert "Containerfile" in decision.notes[0]
    assert "scratch" not in world.built[0][0]


def test_a_folder_that_is_no_repository_is_told_so(world, tmp_path):
    world.repository = tmp_path / "plain"
    world.repository.mkdir()
    with pytest.raises(ConfigurationError, match="not the checkout of a commit"):
        go(world)


def configured(world, text):
    world.commit({"immutable-base-instance.toml": f"schema_version = 1\n{text}"})


def test_an_unknown_key_is_named_with_the_nearest_one(world):
    configured(world, "[rebuild]\nmaximum_age_day = 3\n")
    with pytest.raises(ConfigurationError, match="1 mistake") as caught:
        go(world)
    assert "did you mean 'maximum_age_days'" in caught.value.details


def test_the_base_may_be_a_variant_s_name_and_fills_an_open_argument(world):
    world.commit({"Containerfile": "ARG BASE\nFROM ${BASE}\n"})
    configured(world, '[base]\nreference = "base-zfs"\n')
    decision, _ = go(world, "build")
    assert decision.base.reference == f"{BASE}:latest"
    assert f"FROM {BASE}@{decision.base.digest}\n" in world.built[0][0]


def test_two_bases_are_refused(world):
    configured(world, f'[base]\nreference = "{BASE}:other"\n')
    with pytest.raises(ConfigurationError, match="two bases are named"):
        go(world)


@pytest.mark.parametrize(
    ("destination", "fine"),
    [
        ("registry.example:5050/a.b/sub/group/x", True), ("registry.example/Acme/x", False), ("registry.example", False),
        ("registry.example/x:latest", False), ("registry.example/$(id)", False), ("registry.example/a//b", False),
    ],
)  # fmt: skip
def test_a_destination_is_a_repository(world, destination, fine):
    configured(world, f'[registry]\ndestination = "{destination}"\n')
    if fine:
        assert go(world).repository == destination
    else:
        with pytest.raises(ConfigurationError, match="cannot be a repository"):
            go(world)


def test_capitals_of_gitlab_s_project_are_small_in_the_registry(world):
    assert world.environment["CI_REGISTRY_IMAGE"] != REPOSITORY
    assert go(world).repository == REPOSITORY


def test_without_a_destination_nothing_begins(world):
    del world.environment["CI_REGISTRY_IMAGE"]
    with pytest.raises(ConfigurationError, match="nobody says where"):
        go(world)


def test_a_gitlab_without_https_cannot_be_an_issuer(world):
    world.environment["CI_SERVER_URL"] = "http://gitlab.example"
    with pytest.raises(ConfigurationError, match="no certificate can name"):
        go(world)


def test_a_product_configuration_that_is_not_there_says_what_it_is_for(world, tmp_path):
    world.config = tmp_path / "none.toml"
    with pytest.raises(ConfigurationError, match="who must have signed base images"):
        go(world)


def test_the_ca_of_a_gitlab_of_one_s_own_is_trusted_beside_the_product_s(world, tmp_path):
    (tmp_path / "server.pem").write_text("SERVER\n")
    world.environment["CI_SERVER_TLS_CA_FILE"] = str(tmp_path / "server.pem")
    (world.repository / "own.pem").write_text("OWN\n")
    configured(world, '[registry]\nca_bundle = "own.pem"\n')
    text = world.context.tls.authority.read_text()
    assert "SERVER" in text
    assert "OWN" in text
    world.environment["CI_SERVER_TLS_CA_FILE"] = str(tmp_path / "none.pem")
    with pytest.raises(ConfigurationError, match="CI_SERVER_TLS_CA_FILE: there is no file"):
        _ = world.context


def test_a_ca_that_is_no_text_is_told_by_its_name(world, tmp_path):
    path = tmp_path / "server.der"
    path.write_bytes(b"\xe4")
    world.environment["CI_SERVER_TLS_CA_FILE"] = str(path)
    with pytest.raises(ConfigurationError, match=r"CI_SERVER_TLS_CA_FILE: .* is no PEM file"):
        _ = world.context


def test_metacharacters_of_a_branch_start_no_shell(world):
    world.git("checkout", "--quiet", "-b", "$(touch${IFS}pwned)")
    world.environment["CI_DEFAULT_BRANCH"] = "$(touch${IFS}pwned);`id`"
    assert go(world).outcome is InstanceOutcome.REBUILD
    assert not (world.repository / "pwned").exists()


def test_a_document_below_is_read_too_however_well_the_one_above_names_it(ready):
    folder = ready.folder / "workspace/instance"
    inspected = json.loads((folder / "inspect.json").read_text())
    (folder / "inspect.json").write_text(json.dumps({**inspected, "image_id": "0" * 64}))
    record = json.loads((folder / "sbom.json").read_text())
    record["rests_on"]["inspect.json"] = file_digest(folder / "inspect.json")
    (folder / "sbom.json").write_text(json.dumps(record))
    with pytest.raises(VerificationError, match=r"inspect\.json is about the image 0"):
        ready.context.documents.read(SbomRecord)


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
