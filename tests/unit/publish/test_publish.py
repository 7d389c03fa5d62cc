"""The order of a publication, and what is left when a step fails."""

import dataclasses
import hashlib
import json

import pytest

from immutable_base.errors import (
    CheckError,
    ConfigurationError,
    OtherSignerError,
    RemoteError,
    VerificationError,
)
from immutable_base.model.publish import PublicationStatus
from immutable_base.model.sbom import full_sbom_path
from support.complete import naming, write_sboms
from support.publish_fixtures import TAGS
from support.publish_world import DIGEST, MANIFEST, OLD, SIGNED_AT, junk


def test_tags_move_last_and_all(world, token, publish):
    world.yesterday("latest")
    publication = publish()
    steps = [step for step in world.steps() if step != "inspect"]
    assert steps == ["push", "sign", "attest", "attest", "refer", "tag", "tag", "tag"]
    assert world.reads[-1].startswith("sha256:"), "verified by ourselves, by digest"
    assert world.tags == dict.fromkeys(TAGS, DIGEST)
    assert publication.status is PublicationStatus.PUBLISHED
    assert {tag.name: tag.before for tag in publication.tags} == {
        "latest": OLD, TAGS[1]: None, TAGS[2]: None,
    }  # fmt: skip
    assert publication.rekor_log_index == 7
    assert publication.signer == world.settings.signing.certificate_identity


def test_everything_there_already_writes_nothing(world, token, publish):
    publish()
    before = len(world.commands)
    publication = publish()
    assert publication.status is PublicationStatus.UNCHANGED
    assert set(world.steps()[before:]) == {"inspect"}


def test_unchanged_needs_no_token(world, token, publish, monkeypatch):
    publish()
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    assert publish().status is PublicationStatus.UNCHANGED


def test_an_old_signature_is_renewed_where_that_is_asked_for_and_nothing_else_is_written(
    world, token, publish, monkeypatch
):
    real = world.sign

    def sign_later(command):
        monkeypatch.setattr("support.publish_world.SIGNED_AT", SIGNED_AT + 100)
        return real(command)

    publish()
    monkeypatch.setattr(world, "sign", sign_later)
    before = len(world.commands)
    assert publish(renew=SIGNED_AT - 1).status is PublicationStatus.UNCHANGED
    assert set(world.steps()[before:]) == {"inspect"}
    assert publish(renew=SIGNED_AT).status is PublicationStatus.RENEWED
    assert [step for step in world.steps()[before:] if step != "inspect"] == ["sign"]
    assert publish(renew=SIGNED_AT).status is PublicationStatus.UNCHANGED


def test_an_earlier_image_that_comes_back_is_signed_anew(world, token, publish, monkeypatch):
    """Upstream has taken a package back: hosts refuse what was signed before what they have."""
    publish()
    world.yesterday("latest")
    world.later[OLD] = 100
    before, real = len(world.writes()), world.sign

    def sign(command):
        world.later[DIGEST] = 200
        return real(command)

    monkeypatch.setattr(world, "sign", sign)
    assert publish().status is PublicationStatus.PUBLISHED
    assert world.writes()[before:] == ["sign", "tag"]
    assert world.tags["latest"] == DIGEST


def test_to_renew_needs_a_token_and_a_failure_is_told(world, token, publish, monkeypatch):
    publish()
    world.fail, world.says = "sign", "500 Internal Server Error"
    with pytest.raises(RemoteError):
        publish(renew=SIGNED_AT)
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    with pytest.raises(ConfigurationError, match="no identity token"):
        publish(renew=SIGNED_AT)


def test_another_sbom_is_attested_anew(world, token, publish, image):
    publish()
    write_sboms(image[1], {"bomFormat": "CycloneDX", "components": [{"name": "bash"}]})
    assert publish().status is PublicationStatus.PUBLISHED
    assert world.sboms() == [json.loads(image[1].read_text())], "the earlier one is replaced"


def test_registry_that_does_not_answer(world, token, publish):
    world.fail, world.says = "inspect", "connection refused"
    with pytest.raises(RemoteError, match="connection refused"):
        publish()
    assert set(world.steps()) == {"inspect"}


def test_fulcio_refusing_the_token_is_no_remote_failure(world, token, publish):
    world.fail, world.says = "sign", "There was an error processing the identity token"
    with pytest.raises(VerificationError, match="Fulcio refuses"):
        publish()


def test_wrong_sbom_in_the_registry_moves_nothing(
    world, token, publish, monkeypatch, tmp_path, image
):
    real = world.attest

    def attest(command):
        other = tmp_path / "other.json"
        full = full_sbom_path(image[1]).read_bytes()
        document = {"bomFormat": "CycloneDX", "components": [{"name": "x"}]}
        other.write_text(json.dumps(naming(document, full)))
        own = f"--predicate={image[1]}"
        argv = [f"--predicate={other}" if x == own else x for x in command.argv]
        return real(dataclasses.replace(command, argv=tuple(argv)))

    monkeypatch.setattr(world, "attest", attest)
    with pytest.raises(VerificationError, match="is not ours"):
        publish()
    assert world.tags == {}


def test_signature_by_somebody_else_moves_nothing(world, token, publish, monkeypatch):
    world.sign_as = world.settings.signing.certificate_identity.replace("main", "evil")
    with pytest.raises(OtherSignerError, match="refs/heads/evil"):
        publish()
    assert world.tags == {}


@pytest.mark.parametrize("digests", [[OLD], [], [DIGEST, OLD], [OLD, DIGEST]])
def test_a_layout_that_does_not_hold_exactly_the_image(world, token, publish, image, digests):
    manifests = [{"digest": digest} for digest in digests]
    (image[0] / "index.json").write_text(json.dumps({"manifests": manifests}))
    with pytest.raises(CheckError if len(digests) == 1 else VerificationError, match="holds"):
        publish()
    assert world.commands == []


@pytest.mark.parametrize("broken", ["missing", "folder", "text", "deep"])
def test_a_layout_that_cannot_be_read_is_said(world, token, publish, image, broken):
    index = image[0] / "index.json"
    index.unlink()
    if broken == "folder":
        index.mkdir()
    elif broken != "missing":
        index.write_bytes(b"\xff" if broken == "text" else b"[" * 100_000)
    with pytest.raises(VerificationError, match=r"index\.json"):
        publish()
    assert world.commands == []


def test_no_insecure_switch_with_the_public_sigstore(world, token, publish):
    publish()
    assert not [word for c in world.commands for word in c.argv if word.startswith("--insecure")]


def test_published_again_after_only_the_tags_lagged_is_no_unchanged(world, token, publish):
    assert publish().status is PublicationStatus.PUBLISHED
    world.yesterday("latest")
    again = publish()
    assert again.status is PublicationStatus.PUBLISHED, "a tag moved: hosts download something"
    assert {tag.name for tag in again.tags if tag.before != tag.digest} == {"latest"}


def test_the_document_names_the_checksum_of_the_attested_file(world, token, publish, image):
    write_sboms(image[1], {"bomFormat": "CycloneDX", "components": [{"name": "zfs"}]})
    publication = publish()
    assert publication.sbom_sha256 == hashlib.sha256(image[1].read_bytes()).hexdigest()
    assert world.sboms() == [json.loads(image[1].read_text())]


def test_a_digest_that_is_there_but_not_signed_is_published_as_if_it_were_new(
    world, token, publish
):
    """What a run leaves that died between push and signature."""
    world.manifests[DIGEST] = MANIFEST
    assert publish().status is PublicationStatus.PUBLISHED
    assert world.writes() == ["push", "sign", "attest", "attest", "refer", "tag", "tag", "tag"]


def test_a_digest_that_is_signed_but_not_attested_is_published_as_if_it_were_new(
    world, token, publish
):
    publish()
    world.cosign.attestations.clear()
    world.restart()
    assert publish().status is PublicationStatus.PUBLISHED
    assert world.writes() == ["push", "sign", "attest", "attest", "refer"]


def test_a_registry_that_is_down_is_never_taken_for_not_published_before(world, publish, token):
    publish()
    world.yesterday("latest")
    world.restart()
    world.fail, world.says = "read", "503 Service Unavailable: no matching signatures"
    with pytest.raises(RemoteError, match="503 Service Unavailable"):
        publish()
    assert world.writes() == [], "it would be signed a second time"
    assert world.tags["latest"] == OLD


@pytest.mark.parametrize(("step", "kind"), [("sign", "sig"), ("attest", "att")])
def test_what_stands_in_cosigns_way_is_named_with_who_must_clear_it_away(
    world, token, publish, step, kind
):
    tag = junk(world, kind)
    world.fail, world.says = step, "panic: interface conversion"
    with pytest.raises(RemoteError) as caught:
        publish(to=world)
    assert tag in caught.value.hint
    assert "whoever may delete in this registry must delete that tag" in caught.value.hint


@pytest.mark.parametrize("step", ["sign", "attest"])
def test_where_nothing_stands_in_the_way_the_hint_is_about_the_services(
    world, token, publish, step
):
    world.fail, world.says = step, "connection refused"
    with pytest.raises(RemoteError) as caught:
        publish()
    assert "are https://fulcio.example" in caught.value.hint
