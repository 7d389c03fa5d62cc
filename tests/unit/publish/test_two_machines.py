"""Two machines publish to one repository: nobody moves another's tag back (S10)."""

import time
from datetime import UTC, datetime

import pytest

from immutable_base.errors import RemoteError
from immutable_base.publish.tag_mover import TagMover
from support import publish_world
from support.forge import MemoryRegistry, digest_of
from support.publish_world import DIGEST, MANIFEST, OLD

RIVAL_MANIFEST = b"the other machine's"
RIVAL = digest_of(RIVAL_MANIFEST)
REPOSITORY = "registry.example/os/base"


@pytest.fixture
def tags(world):
    world.yesterday("latest", "stable")
    world.manifests[DIGEST] = MANIFEST
    world.manifests[RIVAL] = RIVAL_MANIFEST
    return world.tags


def mover(world, meddle):
    """Return a mover during whose commands `meddle(step, tag)` plays the other machine."""

    def run(command):
        step, tag = world.step(command.argv), command.argv[-1].rpartition(":")[2]
        meddle(step, tag)
        return world.run(command)

    return TagMover(run=run, environment={}, repository=REPOSITORY)


def test_a_tag_that_moved_meanwhile_is_left_alone(world, tags):
    before = dict(tags)
    tags["latest"] = RIVAL
    with pytest.raises(RemoteError, match=f"moved by another run meanwhile: from {OLD} to {RIVAL}"):
        mover(world, lambda *_: None).move({"latest": before["latest"]}, DIGEST)
    assert tags == {"latest": RIVAL, "stable": OLD}
    assert "tag" not in world.steps()


def test_a_tag_that_was_removed_meanwhile_is_not_set_again(world, tags):
    del tags["latest"]
    with pytest.raises(RemoteError, match="to None"):
        mover(world, lambda *_: None).move({"latest": OLD}, DIGEST)
    assert "latest" not in tags


def test_a_new_tag_that_another_run_made_first_is_left_alone(world, tags):
    tags["20261124"] = RIVAL
    with pytest.raises(RemoteError, match="from None to"):
        mover(world, lambda *_: None).move({"20261124": None}, DIGEST)
    assert tags["20261124"] == RIVAL


def test_a_tag_that_another_run_set_to_the_same_digest_is_fine(world, tags):
    tags["latest"] = DIGEST
    moved = mover(world, lambda *_: None).move({"latest": OLD, "stable": OLD}, DIGEST)
    assert {tag.name: tag.digest for tag in moved} == {"latest": DIGEST, "stable": DIGEST}
    assert world.steps().count("tag") == 1


def test_undo_touches_only_what_this_run_has_set(world, tags):
    """A sets `latest`; B moves both on; A fails at `stable` and takes nothing of B's back."""

    def meddle(step, tag):
        if step == "inspect" and tag == "stable":
            tags.update(latest=RIVAL, stable=RIVAL)

    with pytest.raises(RemoteError, match="stable was moved by another run meanwhile"):
        mover(world, meddle).move({"latest": OLD, "stable": OLD}, DIGEST)
    assert tags == {"latest": RIVAL, "stable": RIVAL}


def test_undo_takes_back_what_is_still_ours(world, tags):
    def meddle(step, tag):
        if step == "inspect" and tag == "stable":
            tags["stable"] = RIVAL

    with pytest.raises(RemoteError):
        mover(world, meddle).move({"latest": OLD, "stable": OLD}, DIGEST)
    assert tags == {"latest": OLD, "stable": RIVAL}


# ------------------------------------------------------------------ the slower machine


@pytest.fixture
def rival(world, monkeypatch):
    """Let `latest` name an image that another machine made from inputs of a given time."""

    def made(created, signed_at):
        images = MemoryRegistry()
        digest = images.add_image("rival", created=created)
        monkeypatch.setattr(publish_world, "OLD", digest)
        monkeypatch.setattr(publish_world, "OLD_MANIFEST", images.manifests[digest])
        monkeypatch.setattr(publish_world, "SIGNED_AT", signed_at)
        publish_world.IMAGES.blobs.update(images.blobs)
        world.yesterday("latest")
        return digest

    return made


NEWER, OLDER = "2026-11-24T00:00:00Z", "2025-11-01T00:00:00Z"
SAME = "2025-11-24T16:00:00Z"
"""When the newest input of what is published here was made."""


def test_the_slower_machine_with_the_older_plan_writes_nothing(world, rival, token, publish):
    """The variant's newest input is of November 2025."""
    digest = rival(NEWER, int(time.time()) - 600)
    with pytest.raises(
        RemoteError, match="another run has published newer inputs: latest"
    ) as caught:
        publish()
    assert digest in caught.value.details
    assert world.writes() == []
    assert world.tags == {"latest": digest}


@pytest.mark.parametrize(
    ("created", "age"),
    [(OLDER, 600), (SAME, 600), (NEWER, 2 * 86400), ("", 600)],
    ids=["older", "as new", "long ago", "no time"],
)
def test_what_is_no_rival_does_not_stop_the_night(world, rival, token, publish, created, age):
    """Upstream may take packages back: then the newest input is older than yesterday's."""
    rival(created, int(time.time()) - age)
    publish()
    assert world.tags["latest"] == DIGEST


def test_an_image_that_somebody_else_signed_is_no_rival(world, rival, token, publish):
    digest = rival(NEWER, int(time.time()) - 600)
    world.cosign.signatures[digest] = []
    publish()
    assert world.tags["latest"] == DIGEST


def test_an_image_without_a_provenance_is_a_rival_as_well(world, rival, token, publish):
    """Hosts ask for the signature and the SBOM: they would take it, and its inputs are newer."""
    digest = rival(NEWER, int(time.time()) - 600)
    world.cosign.attestations[digest] = world.cosign.attestations[digest][:1]
    with pytest.raises(RemoteError, match="newer inputs"):
        publish()
    assert world.tags == {"latest": digest}


DAY = 86400


@pytest.mark.parametrize(("began", "refused"), [(3, True), (1, False)], ids=["before", "after"])
@pytest.mark.usefixtures("token")
def test_an_old_pipelines_job_that_is_started_again_moves_nothing_back(
    world, rival, publish, monkeypatch, began, refused
):
    """Nothing changed for two days, so nobody signed: the image of then is what hosts have."""
    digest = rival(NEWER, int(time.time()) - 2 * DAY)
    created = datetime.fromtimestamp(time.time() - began * DAY, UTC)
    monkeypatch.setenv("CI_PIPELINE_CREATED_AT", created.strftime("%Y-%m-%dT%H:%M:%SZ"))
    if refused:
        with pytest.raises(RemoteError, match="another run has published newer inputs: latest"):
            publish()
        assert (world.writes(), world.tags) == ([], {"latest": digest})
    else:
        publish()
        assert world.tags["latest"] == DIGEST


@pytest.mark.parametrize(
    "text", ["", "\xe4", "yesterday", "2026-11-24", "2999-01-01T00:00:00Z", "0001-01-01T00:00:00+14:00"]
)  # fmt: skip
def test_a_time_of_the_pipeline_that_says_nothing_changes_nothing(
    world, rival, token, publish, monkeypatch, text
):
    rival(NEWER, int(time.time()) - 600)
    monkeypatch.setenv("CI_PIPELINE_CREATED_AT", text)
    with pytest.raises(RemoteError, match="newer inputs"):
        publish()
