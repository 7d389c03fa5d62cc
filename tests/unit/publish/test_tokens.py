"""Which token a publication takes, and that it is nowhere shown."""

import base64
import json
import time

import pytest

from immutable_base.errors import (
    ConfigurationError,
    VerificationError,
)
from support.publish_world import DIGEST, OLD, token_for


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
