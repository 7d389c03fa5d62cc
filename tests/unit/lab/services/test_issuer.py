"""Tokens have the claims of GitLab's, and Fulcio's configuration finds all that it asks for."""

import re

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from immutable_base_lab.services.fulcio import fulcio_configuration
from immutable_base_lab.services.issuer import Issuer, claims, identity

URL = "http://127.0.0.1:20003"


@pytest.fixture(scope="module")
def issuer():
    return Issuer(key=rsa.generate_private_key(public_exponent=65537, key_size=2048), url=URL)


def test_a_token_verifies_with_the_published_key(issuer):
    status, _, token = issuer.answer("/token", {"source": "push", "lifetime": "120"})
    assert status == 200
    keys = jwt.PyJWKSet.from_json(issuer.answer("/jwks", {})[2])
    content = jwt.decode(token, keys.keys[0], algorithms=["RS256"], audience="sigstore", issuer=URL)
    assert content["pipeline_source"] == "push"
    assert keys.keys[0].key_id == jwt.get_unverified_header(token)["kid"]


def test_project_ref_and_kind_of_ref_are_those_asked_for():
    made = claims({"project": "a/b/c", "ref": "v1", "ref_type": "tag"}, issuer=URL, now=1_000_000)
    assert made["sub"] == "project_path:a/b/c:ref_type:tag:ref:v1"
    assert made["namespace_path"] == "a/b"
    assert made["ci_config_ref_uri"] == "gitlab.com/a/b/c//.gitlab-ci.yml@refs/tags/v1"
    assert (
        identity({"project": "a/b/c", "ref": "v1", "ref_type": "tag"})
        == f"https://{made['ci_config_ref_uri']}"
    )


def test_a_token_may_have_expired_already():
    made = claims({"lifetime": "-30"}, issuer=URL, now=1_000_000)
    assert made["iat"] < made["exp"] == 999_970


@pytest.mark.parametrize("query", [{"projekt": "a/b"}, {"lifetime": "long"}])
def test_a_query_that_cannot_be_answered_is_refused(issuer, query):
    assert issuer.answer("/token", query)[0] == 400


def test_every_claim_that_fulcio_asks_for_is_there():
    metadata = fulcio_configuration(URL)["ci-issuer-metadata"]["gitlab-pipeline"]
    texts = [
        metadata["subject-alternative-name-template"],
        *metadata["extension-templates"].values(),
    ]
    asked = {name for text in texts for name in re.findall(r"\.(\w+)", text) if "{{" in text}
    asked |= {text for text in texts if "{{" not in text}
    given = set(claims({}, issuer=URL, now=0)) | set(metadata["default-template-values"])
    assert asked <= given
