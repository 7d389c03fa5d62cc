"""Whose token may sign: every claim exactly, before anything is written."""

import base64
import json

import pytest

from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.sign import TokenClaims, check_claims, decode_claims, read_token
from immutable_base.verification.policy import Signer

SIGNER = Signer(
    identity="https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main", issuer="https://gitlab.com"
)
NOW = 1_000_000.0


def claims(**changes):
    good = {
        "iss": SIGNER.issuer,
        "aud": "sigstore",
        "exp": NOW + 600,
        "ci_config_ref_uri": SIGNER.identity.removeprefix("https://"),
    }
    return TokenClaims.model_validate({**good, **changes})


def refusal(**changes):
    with pytest.raises(VerificationError) as caught:
        check_claims(claims(**changes), signer=SIGNER, now=NOW)
    return caught.value


def token(payload, *, head="eyJhbGciOiJSUzI1NiJ9"):
    body = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    return f"{head}.{body}.c2lnbmF0dXJl"


def test_the_right_token_passes():
    check_claims(claims(), signer=SIGNER, now=NOW)


@pytest.mark.parametrize(("expired", "seconds"), [(NOW, 0), (NOW - 1, 1), (NOW - 300, 300)])
def test_a_token_is_refused_from_the_second_in_which_it_expires(expired, seconds):
    error = refusal(exp=expired)
    assert error.message == f"the identity token expired {seconds} s ago"
    assert "timeout" in error.hint


def test_a_token_that_would_expire_while_the_image_is_pushed_is_refused():
    assert "expires in 2 s" in refusal(exp=NOW + 2).message
    assert "expires in 60 s" in refusal(exp=NOW + 60).message
    check_claims(claims(exp=NOW + 61), signer=SIGNER, now=NOW)


@pytest.mark.parametrize(
    "audience",
    [
        "sigstore-staging",
        "my-sigstore",
        "Sigstore",
        "",
        ["sigstore-staging", "https://gitlab.com"],
        [],
    ],
)
def test_the_audience_is_exactly_sigstore(audience):
    error = refusal(aud=audience)
    assert error.message.startswith("the identity token is for the audience ")
    assert error.message.endswith(", not sigstore")
    assert "id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}" in error.hint


@pytest.mark.parametrize("audience", ["sigstore", ["sigstore"], ["https://x.example", "sigstore"]])
def test_one_of_several_audiences_is_enough(audience):
    check_claims(claims(aud=audience), signer=SIGNER, now=NOW)


@pytest.mark.parametrize(
    "issuer", ["https://gitlab.com/", "https://gitlab.com.evil.example", "http://gitlab.com", ""]
)
def test_the_issuer_is_exactly_the_configured_one(issuer):
    assert refusal(iss=issuer).message == (
        f"the identity token was issued by {issuer}, not by https://gitlab.com"
    )


@pytest.mark.parametrize(
    "reference",
    [
        "gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main2",
        "gitlab.com/a/b//.gitlab-ci.yml@refs/heads/mai",
        "gitlab.com/a/b//.gitlab-ci.yml@refs/tags/main",
        "gitlab.com/a/c//.gitlab-ci.yml@refs/heads/main",
        "https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main",
    ],
)
def test_the_pipeline_is_exactly_the_configured_one(reference):
    error = refusal(ci_config_ref_uri=reference)
    assert "belongs to another pipeline" in error.message
    assert error.details == f"token:         https://{reference}\nconfiguration: {SIGNER.identity}"


@pytest.mark.parametrize("reference", [None, ""])
def test_a_child_pipeline_is_told_that_it_cannot_sign(reference):
    error = refusal(ci_config_ref_uri=reference)
    assert "does not name a pipeline" in error.message
    assert "parent pipeline" in error.hint


@pytest.mark.parametrize(
    "environment", [{}, {"SIGSTORE_ID_TOKEN": ""}, {"SIGSTORE_ID_TOKEN": " \n"}]
)
def test_no_token_says_what_a_gitlab_job_needs(environment):
    with pytest.raises(ConfigurationError, match="SIGSTORE_ID_TOKEN is not set") as caught:
        read_token(environment)
    assert "id_tokens: {SIGSTORE_ID_TOKEN: {aud: sigstore}}" in caught.value.hint


def test_space_around_a_token_is_no_part_of_it():
    assert read_token({"SIGSTORE_ID_TOKEN": " a.b.c\n"}) == "a.b.c"


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("secret", "a token has three parts, this has 1"),
        ("a.secret.c.d", "a token has three parts, this has 4"),
        ("a.secretxx.c", "wrong or missing: JSON"),
        ("a.e30.c", "wrong or missing: iss, aud, exp"),
        (token({"iss": "secret", "aud": "sigstore", "exp": "secret"}), "wrong or missing: exp"),
        (token({"iss": 3, "aud": "secret", "exp": 1}), "wrong or missing: iss"),
        (token(["secret"]), "wrong or missing: JSON"),
        (token({"iss": "secret", "aud": "sigstore", "exp": float("nan")}), "wrong or missing: exp"),
        (token({"iss": "secret", "aud": "sigstore", "exp": float("inf")}), "wrong or missing: exp"),
        (token({"iss": "secret", "aud": "sigstore", "exp": "4000000000"}), "wrong or missing: exp"),
        (token({"iss": "secret", "aud": "sigstore", "exp": True}), "wrong or missing: exp"),
        (
            token({"iss": "secret", "aud": "sigstore", "exp": 1, "nbf": "1"}),
            "wrong or missing: nbf",
        ),
        ("a.secre.c", "base64"),
    ],
)
def test_what_is_no_token_is_refused_with_the_reason_and_without_the_text(text, reason):
    with pytest.raises(ConfigurationError) as caught:
        decode_claims(text)
    assert caught.value.message == "SIGSTORE_ID_TOKEN does not hold an identity token"
    assert reason in caught.value.details
    assert "secret" not in str(caught.value)


def test_claims_are_those_of_the_second_part():
    wanted = {"iss": "https://i", "aud": ["x", "sigstore"], "exp": 12, "ci_config_ref_uri": "g/p"}
    found = decode_claims(token({**wanted, "more": "unknown"}))
    assert (found.iss, found.aud, found.exp) == ("https://i", ("x", "sigstore"), 12)
    assert found.identity == "https://g/p"


GOOD_CLAIMS = {"iss": SIGNER.issuer, "aud": "sigstore", "ci_config_ref_uri": SIGNER.identity.removeprefix("https://")}  # fmt: skip


@pytest.mark.parametrize(
    "change",
    [
        lambda text: f"Bearer {text}", lambda text: text[:5] + "\n" + text[5:], lambda text: f'"{text}"',
        lambda text: text + "=", lambda text: text.rpartition(".")[0] + ".", lambda text: "." + text.partition(".")[2],
        lambda text: text + " x", lambda text: text + "\u00e4",
    ],
)  # fmt: skip
def test_what_is_no_token_is_told_before_it_is_sent_anywhere(change):
    """S16: it would fail at Fulcio, with a question whether Fulcio is up."""
    with pytest.raises(ConfigurationError, match="does not hold an identity token"):
        decode_claims(change(token({**GOOD_CLAIMS, "exp": NOW})))


@pytest.mark.parametrize(
    "number", ["NaN", "Infinity", "-Infinity", "1e400", '"soon"', "null", "[]"]
)
@pytest.mark.parametrize("claim", ["exp", "nbf"])
def test_a_time_that_is_no_time(number, claim):
    if (claim, number) == ("nbf", "null"):
        return  # As good as none.
    text = json.dumps({**GOOD_CLAIMS, "exp": 1, claim: "HERE"}).replace('"HERE"', number)
    body = base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()
    with pytest.raises(ConfigurationError, match="wrong or missing"):
        decode_claims(f"eyJhbGciOiJSUzI1NiJ9.{body}.c2ln")


def test_a_token_that_is_not_valid_yet():
    assert "not valid for another 3600 s" in refusal(nbf=NOW + 3600).message
    check_claims(claims(nbf=NOW + 30), signer=SIGNER, now=NOW)


JOB = {
    "project_id": "7", "runner_environment": "self-hosted", "pipeline_source": "schedule", "ref": "main", "ref_type": "branch",
}  # fmt: skip
DEMANDED = {
    "project_id": ("7",), "runner_environment": ("self-hosted",), "build_trigger": ("schedule", "web"),
    "source_ref": ("refs/heads/main",),
}  # fmt: skip
STRICT = Signer(identity=SIGNER.identity, issuer=SIGNER.issuer, claims=DEMANDED)


def test_the_right_job_passes():
    check_claims(claims(**JOB), signer=STRICT, now=NOW)


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"project_id": "8"}, "project_id"), ({"project_id": None}, "project_id"),
        ({"runner_environment": "gitlab-hosted"}, "runner_environment"), ({"pipeline_source": "trigger"}, "build_trigger"),
        ({"ref": "topic"}, "source_ref"), ({"ref_type": "tag"}, "source_ref"), ({"ref_type": None}, "source_ref"),
    ],
)  # fmt: skip
def test_another_job_of_the_same_pipeline_file_may_not_sign(change, name):
    """S9: what the certificate's name does not say is compared as well, before anything is written."""
    with pytest.raises(VerificationError, match=f"identity token's {name} is not"):
        check_claims(claims(**{**JOB, **change}), signer=STRICT, now=NOW)


@pytest.mark.parametrize(
    ("value", "good"),
    [("true", True), (True, True), ("false", False), (False, False), (None, False)],
)
def test_a_protected_ref_is_demanded_when_signing(value, good):
    found = claims(ref_protected=value)
    check_claims(found, signer=SIGNER, now=NOW)
    if good:
        check_claims(found, signer=SIGNER, now=NOW, protected_ref=True)
        return
    with pytest.raises(VerificationError, match="not protected"):
        check_claims(found, signer=SIGNER, now=NOW, protected_ref=True)
