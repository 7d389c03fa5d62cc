"""Nothing is published that hosts on the published image would refuse (a step of a rotation left out)."""

import dataclasses

import pytest

from immutable_base.errors import RemoteError, VerificationError
from immutable_base.model.publish import PublicationStatus
from immutable_base.policy.accepted import HOSTS_ACCEPT, accepted
from immutable_base.policy.host_trust import variants_trust
from immutable_base.trusted import signer_of
from support.forge import digest_of
from support.publish_world import DIGEST, OLD

OTHER = "key sha256:" + 64 * "0"


@pytest.fixture
def latest(world):
    """Let `latest` name an image with this label."""

    def call(label):
        world.yesterday("latest", "stable")
        world.labels[OLD] = {HOSTS_ACCEPT: label}

    return call


def test_hosts_that_take_another_key_only_would_be_left_behind(world, token, publish, latest):
    latest(OTHER)
    with pytest.raises(VerificationError, match=r"hosts on .*:latest would refuse") as caught:
        publish()
    assert caught.value.exit_code == 12
    assert OTHER in caught.value.details
    assert "signing.leave_behind" in caught.value.hint
    assert world.writes() == []
    assert world.tags == {"latest": OLD, "stable": OLD}


def test_hosts_that_take_another_pipeline_s_images_would_be_too(
    world, token, publish, latest, settings
):
    identity = settings.signing.certificate_identity
    latest(f"signer {identity}2 of {settings.signing.certificate_oidc_issuer}")
    with pytest.raises(VerificationError, match="would refuse") as caught:
        publish()
    assert f"signer {identity} of" in caught.value.details


def test_hosts_that_take_this_pipeline_s_images_are_followed(
    world, token, publish, latest, settings
):
    signing = settings.signing
    latest(f"{OTHER}, signer {signing.certificate_identity} of {signing.certificate_oidc_issuer}")
    assert publish().status is PublicationStatus.PUBLISHED
    assert world.tags["latest"] == DIGEST


@pytest.fixture
def leaving(context, settings):
    """Return the context of a configuration that leaves these labels behind."""

    def call(*labels):
        signing = settings.signing.model_copy(update={"leave_behind": labels})
        return dataclasses.replace(
            context, settings=settings.model_copy(update={"signing": signing})
        )

    return call


def test_what_the_configuration_leaves_behind_is_left_behind(
    world, token, publish, latest, leaving
):
    latest(OTHER)
    assert publish(context=leaving(OTHER)).status is PublicationStatus.PUBLISHED


def test_nothing_else_is_left_behind_with_it(world, token, publish, latest, leaving):
    latest(OTHER)
    with pytest.raises(VerificationError, match="would refuse"):
        publish(context=leaving(OTHER.replace("0", "1")))
    assert world.writes() == []


def test_a_label_that_nobody_understands_is_no_leave_and_is_printed_as_it_can_be(
    world, token, publish, latest
):
    latest("\x1b[2Jnothing")
    with pytest.raises(VerificationError) as caught:
        publish()
    assert "\x1b" not in caught.value.details


def test_without_an_answer_of_the_registry_nothing_is_published(world, token, publish, latest):
    latest(OTHER)
    world.labels[OLD] = RemoteError("no answer")
    with pytest.raises(RemoteError, match="no answer"):
        publish()
    assert world.writes() == []


def test_hosts_are_on_no_image_that_nobody_has_signed(world, token, publish, latest):
    """Whoever may push could stop every publication with one label."""
    latest(OTHER)
    world.cosign.signatures[OLD] = []
    assert publish().status is PublicationStatus.PUBLISHED
    assert world.tags["latest"] == DIGEST


def test_what_is_no_image_has_no_hosts_and_is_not_asked_for_labels(world, token, publish, latest):
    latest(OTHER)
    junk = b'{"manifests": []}'
    found = digest_of(junk)
    world.manifests[found] = junk
    world.labels[found] = RemoteError("no image found in the index for architecture amd64")
    world.tags["latest"] = world.tags["stable"] = found
    assert publish().status is PublicationStatus.PUBLISHED


def test_an_image_that_another_identity_has_signed_may_have_hosts(world, token, publish, latest):
    """A project that got another path has hosts on the images of its earlier one."""
    latest(OTHER)
    world.sign_as = "https://gitlab.com/earlier/path//.gitlab-ci.yml@refs/heads/main"
    with pytest.raises(VerificationError, match="would refuse") as caught:
        publish()
    assert "delete the tag" in caught.value.hint


@pytest.mark.parametrize(
    ("demanded", "refused"),
    [
        ({"runner_environment": ("gitlab-hosted",)}, False),
        ({"runner_environment": ("self-hosted",)}, True),
        ({"build_trigger": ("web", "schedule"), "project_id": ("58391042",)}, False),
        ({"project_id": ("1",), "build_trigger": ("schedule",)}, True),
    ],
)
def test_hosts_that_demand_another_job_of_this_pipeline_would_be_left_behind(
    world, token, publish, latest, demanded, refused
):
    """The certificate decides, not the configuration: the latter may have become laxer."""
    signer = signer_of(world.settings.signing.table())
    trust = variants_trust(world.settings)
    latest(accepted(trust, dataclasses.replace(signer, claims=demanded), admits=True))
    if not refused:
        assert publish().status is PublicationStatus.PUBLISHED
        return
    with pytest.raises(VerificationError, match="would refuse") as caught:
        publish()
    assert next(iter(demanded)) in caught.value.details
    assert world.tags == {"latest": OLD, "stable": OLD}
