"""Tags move last, together or not at all, and are read back."""

import pytest

from immutable_base.errors import (
    CommandError,
    ConfigurationError,
    HostError,
    ImmutableBaseError,
    RemoteError,
    VerificationError,
)
from immutable_base.model.publish import PublicationStatus
from immutable_base.publish.tag_mover import TagMover
from support.publish_fixtures import TAGS
from support.publish_world import DIGEST, MANIFEST, OLD, token_for


def test_tags_that_hosts_follow_move_after_new_ones(world, token, publish):
    world.yesterday("latest")
    publish()
    moved = [c.argv[-1].rpartition(":")[2] for c in world.commands if world.step(c.argv) == "tag"]
    assert moved[-1] == "latest"


def test_a_signed_image_whose_tags_lag_behind_is_only_tagged(world, token, publish):
    publish()
    world.tags["latest"] = OLD
    before = len(world.commands)
    assert publish().status is PublicationStatus.PUBLISHED
    assert "sign" not in world.steps()[before:]
    assert world.tags["latest"] == DIGEST


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        (None, "no identity token"),
        (
            {"ci_config_ref_uri": "gitlab.com/a/b//.gitlab-ci.yml@refs/heads/topic"},
            "another pipeline",
        ),
        ({"exp": 0}, "expired"),
    ],
)
def test_only_who_may_sign_moves_the_tags_of_what_is_signed_already(
    world, token, publish, monkeypatch, claims, words
):
    """A merge request's job may write to the registry, and has no identity."""
    publish()
    world.tags["latest"] = OLD
    before = len(world.commands)
    given = "" if claims is None else token_for(world.settings, **claims)
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", given)
    with pytest.raises((ConfigurationError, VerificationError), match=words):
        publish()
    assert set(world.steps()[before:]) == {"inspect"}
    assert world.tags["latest"] == OLD


@pytest.mark.parametrize("step", ["push", "sign", "attest", "refer", "read"])
def test_a_failing_step_starts_no_tag_command(world, token, publish, step):
    world.yesterday("latest")
    world.fail, world.says = step, "500 Internal Server Error"
    with pytest.raises(RemoteError) as caught:
        publish()
    assert "500 Internal Server Error" in str(caught.value)
    assert "tag" not in world.steps()
    assert world.tags == {"latest": OLD}


@pytest.mark.parametrize(
    "error", [RemoteError("no"), HostError("the disk is full"), CommandError("was not started")]
)
def test_a_tag_that_fails_puts_the_others_back(world, token, publish, monkeypatch, error):
    world.yesterday("latest", "stable")
    real = world.tag

    def tag(argv):
        if argv[-1].endswith(":stable") and argv[-2].endswith(DIGEST):
            raise error
        return real(argv)

    monkeypatch.setattr(world, "tag", tag)
    with pytest.raises(ImmutableBaseError):
        publish(tags=("latest", "stable"))
    tags = [c.argv for c in world.commands if world.step(c.argv) == "tag"]
    assert sum(argv[-1].endswith(":stable") for argv in tags) == 1, "it named OLD all along"
    assert world.tags == {"latest": OLD, "stable": OLD}


def mover(world, refuse):
    """Return the tags of the repository; from the second tag on, commands that `refuse` names fail."""
    tried = []

    def runner(command):
        tried.extend(w for w in command.argv if world.step(command.argv) == "tag")
        if any(word.endswith(":stable") for word in tried) and refuse(command):
            raise RemoteError("connection refused")
        return world.run(command)

    world.yesterday("latest", "stable")
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


def test_a_registry_that_takes_a_tag_and_does_not_keep_it_is_found_out(
    world, token, publish, monkeypatch
):
    world.yesterday("latest")
    monkeypatch.setattr(world, "tag", lambda argv: (0,))
    with pytest.raises(RemoteError, match=f"was set to {DIGEST}, but names {OLD}"):
        publish(tags=("latest",))
    with pytest.raises(RemoteError, match=f":new was set to {DIGEST}, but names None"):
        publish(tags=("new",))


def refuse_tag(world, monkeypatch, name, error):
    """Let the registry refuse to move one tag to the new image; it may be moved back."""
    real = world.tag

    def tag(argv):
        if argv[-1].endswith(f":{name}") and argv[-2].endswith(DIGEST):
            raise error
        return real(argv)

    monkeypatch.setattr(world, "tag", tag)


def test_a_new_tag_that_stays_after_a_failure_is_named(world, token, publish, monkeypatch):
    world.yesterday("latest")
    refuse_tag(world, monkeypatch, "latest", RemoteError("no", details="denied"))
    with pytest.raises(RemoteError) as caught:
        publish(tags=("latest", "20251124"))
    assert world.tags == {"latest": OLD, "20251124": DIGEST}
    assert caught.value.details == "denied"
    assert caught.value.hint == (
        f"could not be set back, and may name {DIGEST}, which is signed and verified: "
        "20251124; run again"
    )


def test_every_tag_back_is_no_hint_about_tags(world, token, publish, monkeypatch):
    world.yesterday("latest", "stable")
    refuse_tag(world, monkeypatch, "stable", RemoteError("no", hint="the registry's own"))
    with pytest.raises(RemoteError) as caught:
        publish(tags=("latest", "stable"))
    assert caught.value.hint == "the registry's own"


def test_tags_are_those_of_the_document_and_were_read_back(world, token, publish):
    world.yesterday("latest")
    publication = publish()
    assert tuple(tag.name for tag in publication.tags) == TAGS
    assert {tag.name: tag.digest for tag in publication.tags} == world.tags
    tags = [n for n, command in enumerate(world.commands) if world.step(command.argv) == "tag"]
    for number in tags:
        name = world.commands[number].argv[-1]
        assert world.commands[number + 1].argv == ("skopeo", "inspect", "--raw", name)


def test_what_is_pushed_and_tagged_keeps_its_digest(world, token, publish):
    publish()
    copies = [c.argv for c in world.commands if c.argv[:2] == ("skopeo", "copy")]
    assert all("--preserve-digests" in argv for argv in copies)
    assert all(f"@{DIGEST}" in argv[-2] for argv in copies[2:]), "tags are set from the digest"
    assert "@sha256:" in copies[1][-1], "so is the full SBOM"
    assert copies[0][-1].endswith(f"@{DIGEST}"), "pushed by digest, which makes no tag"


def test_images_are_read_signed_and_verified_by_digest_and_a_tag_is_only_looked_at_or_set(
    world, token, publish
):
    world.yesterday("latest")
    publish()
    named = [
        (world.step(command.argv), position, word.removeprefix("docker://"))
        for command in world.commands
        for position, word in enumerate(reversed(command.argv))
        if "/base-zfs" in word and not word.startswith(("--", "oci:"))
    ]
    by_tag = {(step, position) for step, position, word in named if "@sha256:" not in word}
    assert by_tag == {("inspect", 0), ("tag", 0)}, (
        "tags are read as tags, and are targets of a copy"
    )
    by_digest = {step for step, _, word in named if word.endswith(f"@{DIGEST}")}
    assert {"push", "sign", "attest", "tag"} <= by_digest
    assert not [name for name in world.reads if name in TAGS], "nothing is verified by a tag"
