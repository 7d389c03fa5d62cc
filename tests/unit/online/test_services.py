"""A registry and a Sigstore that answer are not yet the ones that the configuration trusts."""

import base64
import json
import threading

import pytest
from cryptography.hazmat.primitives.serialization import Encoding

from immutable_base.config.trust import SigningTable
from immutable_base.download import open_downloader
from immutable_base.errors import RemoteError
from immutable_base.model.online import State
from immutable_base.online.services import Services, ask_services, greeting
from immutable_base.verification.client import Answer, Client
from support.forge import Instance, authority, new_key, pem_of, public_pem
from support.trust_fixtures import certificate, direct, secure_site, site
from support.web import Reply

__all__ = ["certificate", "direct", "secure_site", "site"]

ISSUER, FULCIO, REKOR = (
    "/.well-known/openid-configuration", "/api/v2/trustBundle", "/api/v1/log/publicKey",
)  # fmt: skip


INSTANCE = Instance()
ROOT = INSTANCE.root


@pytest.fixture(scope="module")
def instance():
    return INSTANCE


@pytest.fixture
def sigstore(site, instance):
    """An instance in order; tests spoil a part of it."""
    site.serve(ISSUER, json.dumps({"issuer": site.url}).encode())
    site.serve(FULCIO, bundle(pem_of(instance.root)))
    site.serve(REKOR, public_pem(instance.rekor_key))
    return site


def bundle(*certificates):
    return json.dumps({"chains": [{"certificates": list(certificates)}]}).encode()


def asked(site, instance, destination="127.0.0.1:1/x", authority=None, **changes):
    table = {
        "certificate_identity": "https://gitlab.example/x//ci.yml@refs/heads/main",
        "certificate_oidc_issuer": site.url, "fulcio_url": site.url, "rekor_url": site.url,
        "fulcio_root": "fulcio.pem", "rekor_key": "rekor.pem", "ct_log_key": "ct.pem",
    }  # fmt: skip
    services = Services(
        destination=destination, authority=authority,
        signing=SigningTable(**{**table, **changes}), roots=instance.roots(),
    )  # fmt: skip
    with open_downloader(None) as downloader:
        return list(ask_services(downloader, services))


def test_services_that_are_silent_are_waited_for_together(instance):
    """Behind a firewall that swallows packets each takes half a minute to be given up."""
    together = threading.Barrier(3)

    class Silent:
        def fetch_small(self, _url, what):
            together.wait(30)
            raise RemoteError(f"{what} cannot be fetched")

    table = dict.fromkeys(("certificate_identity", "certificate_oidc_issuer", "rekor_url"), "x")
    services = Services(
        destination="127.0.0.1:1/x", authority=None, roots=instance.roots(),
        signing=SigningTable(**table, fulcio_url="x", fulcio_root="f", rekor_key="r"),
    )  # fmt: skip
    found = list(ask_services(Silent(), services))
    assert [item.kind for item in found] == ["registry", "sigstore", "sigstore", "sigstore"]
    assert all("cannot be" in item.message for item in found)


# ------------------------------------------------------------------ what must not pass


@pytest.mark.parametrize(
    ("place", "answer", "code", "words"),
    [
        (ISSUER, Reply(status=404), 6, "answered 404"),
        (ISSUER, b'{"issuer": "https://other.example"}', 12, "it calls itself 'https://other.example'"),
        (ISSUER, b'{"issuer": "a", "issuer": "b"}', 6, "is not strict JSON"),
        (ISSUER, b"[]", 6, "has a form that was not foreseen"),
        (FULCIO, Reply(status=500), 6, "answered 500"),
        (FULCIO, b"<html>", 6, "is not strict JSON"),
        (FULCIO, bundle(), 6, "has a form that was not foreseen"),
        (FULCIO, bundle(pem_of(authority("other", new_key()))), 12, "roots that are not trusted"),
        (FULCIO, bundle(pem_of(ROOT), pem_of(authority("other", new_key()))), 12, "roots that are not trusted"),
        (REKOR, public_pem(new_key()), 12, "it signs with a key that is not trusted"),
        (REKOR, b"none", 6, "has a form that was not foreseen"),
    ],
)  # fmt: skip
def test_another_instance_and_none_at_all_are_faults(
    sigstore, instance, place, answer, code, words
):
    sigstore.serve(place, answer)
    number = 1 + (ISSUER, FULCIO, REKOR).index(place)
    findings = asked(sigstore, instance)
    assert [item.state for item in findings[1:]].count(State.FAULT) == 1
    assert (findings[number].state, findings[number].exit_code) == (State.FAULT, code)
    assert words in findings[number].message


UNKNOWN = b"""-----BEGIN PUBLIC KEY-----
MA0wBgYEKgMEBQMDAGFi
-----END PUBLIC KEY-----
"""
"""A key whose algorithm is 1.2.3.4.5."""


def test_a_key_of_an_unknown_kind_is_a_fault_and_no_traceback(sigstore, instance):
    sigstore.serve(REKOR, UNKNOWN)
    rekor = asked(sigstore, instance)[3]
    assert (rekor.state, rekor.exit_code) == (State.FAULT, 6)
    assert "has a form that was not foreseen" in rekor.message


def test_a_certificate_of_an_unknown_version_is_a_fault_and_no_traceback(sigstore, instance):
    der = instance.root.public_bytes(Encoding.DER)
    version = b"\xa0\x03\x02\x01"
    spoilt = base64.encodebytes(der.replace(version + b"\2", version + b"\7", 1)).decode()
    pem = f"-----BEGIN CERTIFICATE-----\n{spoilt}-----END CERTIFICATE-----\n"
    sigstore.serve(FULCIO, bundle(pem))
    fulcio = asked(sigstore, instance)[2]
    assert (fulcio.state, fulcio.exit_code) == (State.FAULT, 6)
    assert "has a form that was not foreseen" in fulcio.message


def test_a_long_name_of_a_service_does_not_fill_the_table(sigstore, instance):
    sigstore.serve(ISSUER, json.dumps({"issuer": "x" * 900_000}).encode())
    assert len(asked(sigstore, instance)[1].message) < 1000


def test_docker_hub_is_asked_where_it_answers(sigstore, instance, monkeypatch):
    """https://docker.io/v2/ is a web site."""
    urls = []
    monkeypatch.setattr(Client, "get", lambda _self, url, *_rest: urls.append(url) or GREETING)
    assert asked(sigstore, instance, "docker.io/group/images")[0].state is State.OK
    assert asked(sigstore, instance, "registry.example:5000/a/b")[0].state is State.OK
    assert urls == ["https://registry-1.docker.io/v2/", "https://registry.example:5000/v2/"]


GREETING = Answer(status=401, headers={"www-authenticate": "Bearer"}, body=b"")


def test_a_registry_that_is_down_is_a_fault_and_the_rest_is_asked(sigstore, instance):
    registry, *others = asked(sigstore, instance)
    assert (registry.kind, registry.state, registry.exit_code) == ("registry", State.FAULT, 6)
    assert "127.0.0.1:1 cannot be asked" in registry.message
    assert {item.state for item in others} == {State.OK}


@pytest.mark.parametrize(
    ("status", "headers"),
    [
        (404, {}),
        (401, {}),
        (503, {}),
        (200, {"content-type": "text/html; charset=utf-8"}),
    ],
)
def test_what_answers_and_is_no_registry_is_told(status, headers):
    with pytest.raises(RemoteError, match=f"no registry: it answers {status}"):
        greeting(Answer(status=status, headers=headers, body=b""))


# ------------------------------------------------------------------ what is in order


def test_of_a_chain_the_root_counts(sigstore, instance):
    """Fulcio gives its chains from the issuing certificate to the root."""
    sigstore.serve(FULCIO, bundle(pem_of(authority("issuing", new_key())), pem_of(ROOT)))
    assert asked(sigstore, instance)[2].state is State.OK


def test_a_registry_that_wants_a_login_is_one(secure_site, certificate, sigstore, instance):
    secure_site.serve("/v2/", Reply(status=401, headers={"WWW-Authenticate": "Bearer realm=x"}))
    host = secure_site.url.removeprefix("https://")
    registry, *_ = asked(sigstore, instance, f"{host}/group", certificate.authority)
    assert (registry.state, registry.message) == (State.OK, "answers, and asks for a login")


def test_a_private_instance_has_no_tuf_repository_of_the_public_one(sigstore, instance):
    assert len(asked(sigstore, instance)) == 4
    whole = {"fulcio_root": "", "rekor_key": "", "ct_log_key": "", "trusted_root": "root.json"}
    assert len(asked(sigstore, instance, **whole)) == 4


def test_the_public_instances_updates_are_asked_for(sigstore, instance, monkeypatch):
    monkeypatch.setattr("immutable_base.online.services.REPOSITORY", sigstore.url)
    sigstore.serve("/timestamp.json", b'{"signed": {"version": 7}}')
    found = asked(sigstore, instance, fulcio_root="", rekor_key="", ct_log_key="")[-1]
    assert (found.name, found.state) == (sigstore.url, State.OK)
    assert "version 7" in found.message
