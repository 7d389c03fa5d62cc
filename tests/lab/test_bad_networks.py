"""Publishing where services hang, talk nonsense or come back, and lines are cut: tags stay, or it works."""

from __future__ import annotations

import secrets
import time

import pytest

from immutable_base.errors import CommandError, RemoteError
from immutable_base.model.publish import PublicationStatus
from immutable_base.tools import cosign
from support.forwarder import forwarding
from support.publications import (
    TAGS,
    Image,
    Publications,
    answering,
    nobody_listens,
    publications_in,
    tags_stay,
)

pytestmark = pytest.mark.apart

SIGNING = ["fulcio_url", "rekor_url"]


@pytest.fixture
def publisher(lab, tmp_path, monkeypatch) -> Publications:
    monkeypatch.setenv("PATH", lab.env["PATH"])
    monkeypatch.setattr("immutable_base.publish.patience.SECONDS", 0.0)
    return publications_in(lab, tmp_path)


@pytest.fixture
def patient(monkeypatch):
    """As in earnest, but quicker."""
    monkeypatch.setattr("immutable_base.publish.patience.SECONDS", 30.0)
    monkeypatch.setattr("immutable_base.publish.patience.FIRST_WAIT", 0.2)


@pytest.fixture
def published(publisher, monkeypatch) -> Image:
    """Yesterday's image, to which the tags point."""
    image = publisher.image("yesterday")
    publisher.publish(image, monkeypatch)
    return image


@pytest.mark.parametrize("service", SIGNING)
@pytest.mark.parametrize("body", [b"<html>welcome</html>", b"{}", b"null", b""])
def test_a_signing_service_that_talks_nonsense(publisher, published, monkeypatch, service, body):
    with answering(201, body) as url:
        context = publisher.with_settings(signing={service: url})
        with tags_stay(publisher, published), pytest.raises((RemoteError, CommandError)) as caught:
            publisher.publish(publisher.image("tonight"), monkeypatch, context=context)
    assert caught.value.exit_code in {5, 6}
    assert "could not be signed" in str(caught.value)


@pytest.mark.parametrize("service", SIGNING)
def test_a_signing_service_that_answers_after_the_deadline(
    publisher, published, monkeypatch, service
):
    monkeypatch.setattr(cosign, "TIMEOUT", 4.0)
    with answering(201, b"{}", after=20) as url:
        context = publisher.with_settings(signing={service: url})
        started = time.monotonic()
        with tags_stay(publisher, published), pytest.raises((RemoteError, CommandError)):
            publisher.publish(publisher.image("tonight"), monkeypatch, context=context)
    assert time.monotonic() - started < 15


@pytest.mark.parametrize("service", SIGNING)
def test_a_signing_service_that_comes_back_is_waited_for(publisher, patient, monkeypatch, service):
    where = getattr(publisher.context.settings.signing, service).removeprefix("http://")
    nobody = nobody_listens()
    context = publisher.with_settings(signing={service: nobody})
    image = publisher.image("tonight")
    with forwarding(where, port=int(nobody.rpartition(":")[2]), after=2.0):
        publication = publisher.publish(image, monkeypatch, context=context)
    assert publication.status is PublicationStatus.PUBLISHED
    assert publisher.tags() == dict.fromkeys(TAGS, image.digest)


LARGE = 1 << 20
"""Characters of a file that compresses to half of them."""


def cut(publisher: Publications, cuts: int):
    """Return a line to the registry that is reset so often, after a part of a layer."""
    where = publisher.context.settings.registry.destination.partition("/")[0]
    return forwarding(where, cut_after=LARGE // 8, cuts=cuts)


def by(publisher: Publications, line):
    path = publisher.context.settings.registry.destination.partition("/")[2]
    return publisher.with_settings(registry={"destination": f"{line.address}/{path}"})


def test_a_push_that_is_cut_in_the_middle_is_made_again(publisher, patient, monkeypatch):
    image = publisher.image(secrets.token_hex(LARGE // 2))
    with cut(publisher, 2) as line:
        publication = publisher.publish(image, monkeypatch, context=by(publisher, line))
        assert line.were_cut == 2
    assert publication.status is PublicationStatus.PUBLISHED
    assert publisher.tags() == dict.fromkeys(TAGS, image.digest)


def test_a_push_that_is_always_cut_moves_no_tag(publisher, published, monkeypatch):
    image = publisher.image(secrets.token_hex(LARGE // 2))
    with cut(publisher, 1000) as line, tags_stay(publisher, published):
        with pytest.raises(RemoteError) as caught:
            publisher.publish(image, monkeypatch, context=by(publisher, line))
        assert line.were_cut
    assert caught.value.exit_code == 6
