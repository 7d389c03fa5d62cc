"""The order of a publication, and what is left when a step fails."""

import json

import pytest

from immutable_base.errors import CheckError, ConfigurationError, RemoteError, VerificationError
from immutable_base.model.publish import PublicationStatus
from immutable_base.publish.publish import publish_variant
from immutable_base.publish.tag_mover import TagMover
from support.publish_world import DIGEST, MANIFEST, OLD, OLD_MANIFEST, token_for

TAGS = ("latest", "20251124", "6.12.107_deb13-amd64")


@pytest.fixture
def publish(context, variant, image):
    layout, sbom = image

    def call(tags=TAGS):
        return publish_variant(
            context, variant_plan=variant, digest=DIGEST, layout=layout, sbom=sbom, tags=tags
        )

    return call


def yesterday(world):
    """`latest` names an image of an earlier night."""
    world.manifests[OLD] = OLD_MANIFEST
    world.tags["latest"] = OLD


def test_tags_move_last_and_all(world, token, publish):
    yesterday(world)
    publication = publish()
    steps = [step for step in world.steps() if step != "inspect"]
    assert steps == ["push", "sign", "attest", "verify", "verify-attestation", "tag", "tag", "tag"]
    assert world.tags == dict.fromkeys(TAGS, DIGEST)
    assert publication.status is PublicationStatus.PUBLISHED
    assert {tag.name: tag.before for tag in publication.tags} == {
        "latest": OLD, TAGS[1]: None, TAGS[2]: None,
    }  # fmt: skip
    assert publication.rekor_log_index == 7
    assert publication.signer == world.settings.signing.certificate_identity


def test_tags_that_hosts_follow_move_after_new_ones(world, token, publish):
    yesterday(world)
    publish()
    moved = [c.argv[-1].rpartition(":")[2] for c in world.commands if world.step(c.argv) == "tag"]
    assert moved[-1] == "latest"


def test_everything_there_already_writes_nothing(world, token, publish):
    publish()
    before = len(world.commands)
    publication = publish()
    assert publication.status is PublicationStatus.UNCHANGED
    assert set(world.steps()[before:]) == {"inspect", "verify", "verify-attestation"}


def test_unchanged_needs_no_token(world, token, publish, monkeypatch):
    publish()
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    assert publish().status is PublicationStatus.UNCHANGED


def test_another_sbom_is_attested_anew(world, token, publish, image):
    publish()
    image[1].write_text('{"bomFormat": "CycloneDX", "components": [{"name": "bash"}]}')
    assert publish().status is PublicationStatus.PUBLISHED
    assert world.attested[DIGEST]["components"] == [{"name": "bash"}]


def test_a_signed_image_whose_tags_lag_behind_is_only_tagged(world, token, publish):
    publish()
    world.tags["latest"] = OLD
    before = len(world.commands)
    assert publish().status is PublicationStatus.PUBLISHED
    assert "sign" not in world.steps()[before:]
    assert world.tags["latest"] == DIGEST


@pytest.mark.parametrize("step", ["push", "sign", "attest", "verify", "verify-attestation"])
def test_a_failing_step_starts_no_tag_command(world, token, publish, step):
    yesterday(world)
    world.fail, world.says = step, "500 Internal Server Error"
    with pytest.raises(RemoteError) as caught:
        publish()
    assert "500 Internal Server Error" in str(caught.value)
    assert "tag" not in world.steps()
    assert world.tags == {"latest": OLD}


def test_registry_that_does_not_answer(world, token, publish):
    world.fail, world.says = "inspect", "connection refused"
    with pytest.raises(RemoteError, match="connection refused"):
        publish()
    assert set(world.steps()) == {"inspect"}


def test_fulcio_refusing_the_token_is_no_remote_failure(world, token, publish):
    world.fail, world.says = "sign", "There was an error processing the identity token"
    with pytest.raises(VerificationError, match="Fulcio refuses"):
        publish()


def test_wrong_sbom_in_the_registry_moves_nothing(world, token, publish, monkeypatch):
    monkeypatch.setattr(world, "attest", lambda argv: world.attested.update({DIGEST: {}}) or (0,))
    with pytest.raises(VerificationError, match="is not ours"):
        publish()
    assert world.tags == {}


def test_signature_by_somebody_else_moves_nothing(world, token, publish, monkeypatch):
    real = world.verify

    def other(argv):
        status, text = real(argv)
        return status, text.replace(b"refs/heads/main", b"refs/heads/evil")

    monkeypatch.setattr(world, "verify", other)
    with pytest.raises(VerificationError):
        publish()
    assert world.tags == {}


def test_a_tag_that_fails_puts_the_others_back(world, token, publish, monkeypatch):
    yesterday(world)
    world.manifests[OLD] = OLD_MANIFEST
    world.tags["stable"] = OLD
    real = world.tag

    def tag(argv):
        if argv[-1].endswith(":stable") and argv[-2].endswith(DIGEST):
            raise RemoteError("no")
        return real(argv)

    monkeypatch.setattr(world, "tag", tag)
    with pytest.raises(RemoteError):
        publish(tags=("latest", "stable"))
    assert world.tags == {"latest": OLD, "stable": OLD}


def mover(world, refuse):
    """Return the tags of the repository; from the second tag on, commands that `refuse` names fail."""
    tried = []

    def runner(command):
        tried.extend(w for w in command.argv if world.step(command.argv) == "tag")
        if any(word.endswith(":stable") for word in tried) and refuse(command):
            raise RemoteError("connection refused")
        return world.run(command)

    yesterday(world)
    world.tags["stable"] = OLD
    world.manifests[DIGEST] = MANIFEST
    return TagMover(run=runner, environment={}, repository="registry.example/os/base")


def test_an_interrupt_between_two_tags_puts_the_first_back(world):
    """Interrupted, `process.run` starts nothing but what says that it puts something back."""
    tags = mover(world, lambda command: not command.even_if_interrupted)
    with pytest.raises(RemoteError):
        tags.move({"latest": OLD, "stable": OLD}, DIGEST)
    assert world.tags == {"latest": OLD, "stable": OLD}


def test_a_registry_that_dies_between_two_tags_is_said_with_the_tag_that_stays(world):
    tags = mover(world, lambda command: True)
    with pytest.raises(
        RemoteError, match=r"may name sha256:.*: latest, stable; run again"
    ) as caught:
        tags.move({"latest": OLD, "stable": OLD}, DIGEST)
    assert "run again" in str(caught.value)


def test_layout_with_another_image(world, token, publish, image):
    (image[0] / "index.json").write_text(json.dumps({"manifests": [{"digest": OLD}]}))
    with pytest.raises(CheckError):
        publish()
    assert world.commands == []


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"exp": 1000}, "expired"),
        ({"iss": "https://evil.example"}, "was issued by"),
        ({"aud": "https://vault.example"}, "for the audience"),
        ({"ci_config_ref_uri": None}, "does not name a pipeline"),
        ({"ci_config_ref_uri": "gitlab.com/x//y.yml@refs/heads/evil"}, "another pipeline"),
    ],
)
def test_a_wrong_token_is_refused_before_anything_is_written(
    world, settings, publish, monkeypatch, changes, words
):
    text = token_for(settings, **changes)
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", text)
    with pytest.raises(VerificationError, match=words) as caught:
        publish()
    assert text not in str(caught.value)
    assert set(world.steps()) == {"inspect"}


@pytest.mark.parametrize("text", ["", "  ", "secret", "a.b.c", "a.e30.c"])
def test_no_token_says_what_gitlab_needs(world, publish, monkeypatch, text):
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", text)
    with pytest.raises(ConfigurationError) as caught:
        publish()
    assert text.strip() or "id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}" in str(caught.value)
    assert "secret" not in str(caught.value)


def test_the_token_is_in_no_command_line(world, token, publish):
    publish()
    for command in world.commands:
        assert token not in " ".join(command.argv)
        assert token not in str(command)
    signing = [c for c in world.commands if world.step(c.argv) in {"sign", "attest"}]
    assert [c.env["SIGSTORE_ID_TOKEN"] for c in signing] == [token, token]
    assert all(c.redact(f"x {token} y") == "x *** y" for c in signing)


def test_no_insecure_switch_with_the_public_sigstore(world, token, publish):
    publish()
    assert not [word for c in world.commands for word in c.argv if word.startswith("--insecure")]
