"""The order of a publication, and what is left when a step fails."""

import base64
import dataclasses
import hashlib
import json
import time

import pytest

from immutable_base.errors import (
    CheckError,
    CommandError,
    ConfigurationError,
    HostError,
    ImmutableBaseError,
    OtherSignerError,
    RemoteError,
    VerificationError,
)
from immutable_base.model.publish import PublicationStatus
from immutable_base.model.sbom import full_sbom_path
from immutable_base.publish.tag_mover import TagMover
from support.complete import naming, write_sboms
from support.publish_fixtures import TAGS
from support.publish_world import DIGEST, MANIFEST, OLD, SIGNED_AT, junk, token_for


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


def test_tags_that_hosts_follow_move_after_new_ones(world, token, publish):
    world.yesterday("latest")
    publish()
    moved = [c.argv[-1].rpartition(":")[2] for c in world.commands if world.step(c.argv) == "tag"]
    assert moved[-1] == "latest"


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


def raw_token(settings, **changes):
    """Return a token in which times stand as they are written here."""
    head, body, signature = token_for(settings).split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))
    names = {name: f"HERE{name}" for name in changes}
    text = json.dumps({**claims, **names})
    for name, value in changes.items():
        text = text.replace(f'"HERE{name}"', value)
    body = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    return f"{head}.{body}.{signature}"


NOT_FINITE = ["NaN", "Infinity", "-Infinity", "1e400", '"..."', "null"]


@pytest.mark.parametrize("number", NOT_FINITE)
def test_a_token_without_an_end_pushes_nothing(world, settings, publish, monkeypatch, number):
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", raw_token(settings, exp=number))
    with pytest.raises(ConfigurationError) as caught:
        publish()
    assert caught.value.details == "wrong or missing: exp"
    assert world.writes() == []


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda text: f"Bearer {text}", "it has characters that no token has"),
        (lambda text: f"{text[:9]}\n{text[9:]}", "it has characters that no token has"),
        (lambda text: f'"{text}"', "it has characters that no token has"),
        (lambda text: text.rpartition(".")[0], "a token has three parts, this has 2"),
    ],
)
def test_what_is_no_token_pushes_nothing(world, token, publish, monkeypatch, change, words):
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", change(token))
    with pytest.raises(ConfigurationError) as caught:
        publish()
    assert caught.value.details == words
    assert world.writes() == []


@pytest.mark.parametrize(
    ("times", "words"),
    [
        ({"exp": 30}, r"expires in [0-9]+ s, before a push can be signed"),
        ({"exp": -30}, r"expired [0-9]+ s ago"),
        ({"nbf": 3600}, r"is not valid for another [0-9]+ s"),
    ],
)
def test_a_token_at_the_wrong_time_pushes_nothing(
    world, settings, publish, monkeypatch, times, words
):
    later = {claim: time.time() + seconds for claim, seconds in times.items()}
    text = token_for(settings, **later)
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", text)
    with pytest.raises(VerificationError, match=words):
        publish()
    assert world.writes() == []


@pytest.mark.parametrize("text", [None, "", "  "])
def test_without_a_token_nothing_is_written_and_the_job_is_told_what_it_needs(
    world, publish, monkeypatch, text
):
    monkeypatch.delenv("SIGSTORE_ID_TOKEN", raising=False)
    if text is not None:
        monkeypatch.setenv("SIGSTORE_ID_TOKEN", text)
    with pytest.raises(ConfigurationError, match="SIGSTORE_ID_TOKEN is not set") as caught:
        publish()
    assert "id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}" in caught.value.hint
    assert world.writes() == []


def test_the_token_is_in_no_command_line(world, token, publish):
    publish()
    for command in world.commands:
        assert token not in " ".join(command.argv)
        assert token not in str(command)
    signing = [c for c in world.commands if world.step(c.argv) in {"sign", "attest"}]
    assert [c.env["SIGSTORE_ID_TOKEN"] for c in signing] == [token] * 3
    assert all(c.redact(f"x {token} y") == "x *** y" for c in signing)


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


def test_a_token_that_expired_five_minutes_ago_is_refused_by_us(
    world, settings, publish, monkeypatch
):
    world.yesterday("latest")
    monkeypatch.setattr("immutable_base.sign.time.time", lambda: 1_000_300.0)
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", token_for(settings, exp=1_000_000))
    with pytest.raises(VerificationError) as caught:
        publish()
    assert caught.value.message == "the identity token expired 300 s ago"
    assert DIGEST not in world.manifests, "nothing was pushed"
    assert world.writes() == []
    assert world.tags == {"latest": OLD}


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


def test_a_registry_that_takes_a_tag_and_does_not_keep_it_is_found_out(
    world, token, publish, monkeypatch
):
    world.yesterday("latest")
    monkeypatch.setattr(world, "tag", lambda argv: (0,))
    with pytest.raises(RemoteError, match=f"was set to {DIGEST}, but names {OLD}"):
        publish(tags=("latest",))
    with pytest.raises(RemoteError, match=f":new was set to {DIGEST}, but names None"):
        publish(tags=("new",))


def test_a_new_tag_that_stays_after_a_failure_is_named(world, token, publish, monkeypatch):
    world.yesterday("latest")
    real = world.tag

    def tag(argv):
        if argv[-1].endswith(":latest") and argv[-2].endswith(DIGEST):
            raise RemoteError("no", details="denied")
        return real(argv)

    monkeypatch.setattr(world, "tag", tag)
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
    real = world.tag

    def tag(argv):
        if argv[-1].endswith(":stable") and argv[-2].endswith(DIGEST):
            raise RemoteError("no", hint="the registry's own")
        return real(argv)

    monkeypatch.setattr(world, "tag", tag)
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
