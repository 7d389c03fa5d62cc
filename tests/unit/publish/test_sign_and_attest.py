"""`sign` and `attest` by themselves: a part of a publication, in which no tag moves."""

import contextlib
import dataclasses
import json
import threading

import pytest

from immutable_base.errors import (
    CheckError,
    CommandError,
    ConfigurationError,
    HostError,
    RemoteError,
    UnavailableError,
    VerificationError,
)
from immutable_base.model.publish import PublicationStatus
from immutable_base.publish import host_gate
from immutable_base.publish.publish import attest_variant, sign_variant
from immutable_base.publish.request import PublishRequest
from immutable_base.run.publisher import publisher_of
from support.complete import complete
from support.publish_fixtures import TAGS
from support.publish_world import DIGEST, MANIFEST, OLD, junk


@pytest.fixture
def request_of(context, variant, image):
    layout, sbom = image
    return PublishRequest(
        variant=variant.name, repository=context.repository_of(variant.name), digest=DIGEST,
        layout=layout, sbom=sbom, tags=TAGS, rests_on={},
        epoch=variant.source_date_epoch, **complete(context.repository_of(variant.name), sbom),
    )  # fmt: skip


def written(world):
    return [step for step in world.steps() if step != "inspect"]


def test_signing_pushes_by_digest_and_moves_no_tag(world, token, context, request_of):
    world.yesterday("latest")
    assert sign_variant(publisher_of(context), request_of) == request_of.pinned
    assert written(world) == ["push", "sign"]
    assert world.tags == {"latest": OLD}


@pytest.mark.usefixtures("patient")
def test_nothing_is_signed_for_hosts_that_would_take_an_unsigned_copy(
    world, token, context, request_of, monkeypatch
):
    """Asked again while the registry does not answer, each time of a host as it was shipped."""
    opened, answers = [], [UnavailableError("no answer"), VerificationError("takes it")]

    @contextlib.contextmanager
    def open_host():
        opened.append("new")
        yield "a host"

    def ask(host, repository):
        assert (host, repository) == ("a host", request_of.repository)
        raise answers.pop(0)

    monkeypatch.setattr(host_gate, "require_unsigned_refused", ask)
    with pytest.raises(VerificationError, match="takes it"):
        sign_variant(publisher_of(context), dataclasses.replace(request_of, open_host=open_host))
    assert written(world) == ["push"]
    assert opened == ["new", "new"]


def test_attesting_moves_no_tag(world, token, context, request_of):
    world.yesterday("latest")
    sign_variant(publisher_of(context), request_of)
    assert attest_variant(publisher_of(context), request_of) == request_of.pinned
    assert written(world) == ["push", "sign", "attest", "attest", "refer"]
    assert world.tags == {"latest": OLD}
    assert world.sboms() == [json.loads(request_of.sbom.read_text())]
    assert world.provenances() == [json.loads(request_of.provenance.read_text())]


def test_what_was_not_pushed_is_not_attested_and_the_command_that_pushes_is_named(
    world, token, context, request_of
):
    with pytest.raises(RemoteError, match="is not in the registry") as caught:
        attest_variant(publisher_of(context), request_of)
    assert "`immutable-base sign`" in caught.value.hint
    assert written(world) == []


def test_a_layout_of_another_image_is_not_signed(world, token, context, request_of):
    (request_of.layout / "index.json").write_text(json.dumps({"manifests": [{"digest": OLD}]}))
    with pytest.raises(CheckError, match=f"holds {OLD}, not {DIGEST}"):
        sign_variant(publisher_of(context), request_of)
    assert world.writes() == []


@pytest.mark.parametrize("stage", [sign_variant, attest_variant])
@pytest.mark.parametrize("version", ["v2.6.2", "v3.0.5", "v2.6.3-rc.1", "devel", "v3.2.0"])
def test_a_cosign_that_is_not_accepted_signs_nothing(
    world, token, context, request_of, stage, version
):
    world.manifests[DIGEST] = MANIFEST
    world.cosign_version = version
    with pytest.raises(CommandError if version == "devel" else HostError, match="cosign") as caught:
        stage(publisher_of(context), request_of)
    assert version == "devel" or "GHSA-w6c6-c85g-mmv6" in caught.value.message
    assert world.writes() == []


@pytest.mark.parametrize("version", ["v2.6.3", "v2.6.5", "v3.0.6", "v3.1.3"])
def test_a_cosign_that_is_accepted_signs(world, token, context, request_of, version):
    world.cosign_version = version
    sign_variant(publisher_of(context), request_of)
    assert written(world) == ["push", "sign"]


@pytest.mark.parametrize("stage", [sign_variant, attest_variant])
def test_without_a_token_nothing_is_written(world, context, request_of, stage, monkeypatch):
    monkeypatch.delenv("SIGSTORE_ID_TOKEN", raising=False)
    with pytest.raises(ConfigurationError):
        stage(publisher_of(context), request_of)
    assert world.writes() == []


@pytest.mark.parametrize(("step", "kind"), [("sign", "sig"), ("attest", "att")])
def test_what_stands_in_cosigns_way_is_named(world, token, context, request_of, step, kind):
    stage = {"sign": sign_variant, "attest": attest_variant}[step]
    world.manifests[DIGEST] = MANIFEST
    tag = junk(world, kind)
    world.fail, world.says = step, "panic: interface conversion"
    publisher = publisher_of(dataclasses.replace(context, open_reader=world.open_reader))
    with pytest.raises(RemoteError) as caught:
        stage(publisher, request_of)
    assert "must delete that tag" in caught.value.hint
    assert tag in caught.value.hint


def test_a_publication_after_both_only_verifies_and_moves_the_tags(
    world, token, context, request_of, publish
):
    sign_variant(publisher_of(context), request_of)
    attest_variant(publisher_of(context), request_of)
    before = len(world.steps())
    assert publish().status is PublicationStatus.PUBLISHED
    assert "sign" not in world.steps()[before:]
    assert world.tags == dict.fromkeys(TAGS, DIGEST)


def test_an_interrupted_run_waits_for_no_registry(context, monkeypatch):
    never = threading.Event()
    hanging = dataclasses.replace(context, open_reader=lambda *where: never.wait())
    monkeypatch.setattr("immutable_base.run.verifier.is_interrupted", lambda: True)
    with pytest.raises(CommandError, match="is being interrupted"):
        publisher_of(hanging).verifier.verify("registry.example/os/base", DIGEST)
    never.set()
