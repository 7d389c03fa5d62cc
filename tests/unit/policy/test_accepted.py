"""A label says whose images hosts take next, and is compared with what a publication offers."""

import dataclasses
import hashlib

import pytest

from immutable_base.policy.accepted import accepted, is_refused, offered
from immutable_base.policy.host_trust import HostTrust, Scope, key_files
from immutable_base.verification.policy import Signer

ONE, TWO, THREE = "pem one", "pem two", "pem three"
SIGNER = Signer(
    identity="https://gitlab.example/x//.gitlab-ci.yml@refs/heads/main",
    issuer="https://gitlab.example",
)
OTHER = dataclasses.replace(SIGNER, identity=SIGNER.identity + "2")
TRUST = HostTrust(name="immutable-base", scopes=(Scope(name="registry.example/os"),))


def by_keys(*pems, admits=False):
    trust = dataclasses.replace(TRUST, keys=key_files("x", pems))
    return accepted(trust, SIGNER, admits=admits)


def by_admission(signer=SIGNER):
    return accepted(TRUST, signer, admits=True)


def test_keys_are_named_by_what_sha256sum_prints_of_their_files():
    assert by_keys(ONE, TWO) == ", ".join(
        f"key sha256:{hashlib.sha256(pem.encode()).hexdigest()}" for pem in (ONE, TWO)
    )


def test_without_a_key_it_is_the_signer_that_the_host_s_own_program_demands():
    assert by_admission() == f"signer {SIGNER.identity} of {SIGNER.issuer}"


def test_what_it_demands_of_the_job_is_said_as_well():
    claims = {"build_trigger": ("schedule", "web"), "source_ref": ("refs/heads/main",)}
    label = by_admission(dataclasses.replace(SIGNER, claims=claims))
    who = f"signer {SIGNER.identity} of {SIGNER.issuer}"
    assert label == f"{who} with build_trigger schedule or web with source_ref refs/heads/main"
    assert not is_refused(label, offered(SIGNER, None)), "nobody knows the certificate yet"
    job = {"build_trigger": "web", "source_ref": "refs/heads/main", "project_id": "1"}
    assert not is_refused(label, offered(SIGNER, None), job)
    assert is_refused(label, offered(SIGNER, None), {**job, "build_trigger": "push"})
    assert is_refused(label, offered(SIGNER, None), {"build_trigger": "web"})


def test_hosts_of_a_fleet_take_what_no_publication_signs():
    fleet = dataclasses.replace(TRUST, keys=key_files("x", [ONE]), lookaside="https://a.example")
    assert accepted(fleet, SIGNER, admits=False) == ""
    assert accepted(fleet, SIGNER, admits=True) == by_admission(), "before automatic upgrades"


@pytest.mark.parametrize(
    ("label", "key", "refused"),
    [
        (by_keys(ONE), ONE, False),
        (by_keys(ONE, TWO), TWO, False),
        (by_keys(ONE, TWO), ONE, False),
        (by_keys(ONE), TWO, True),
        (by_keys(ONE, TWO), THREE, True),
        (by_keys(ONE), None, True),
        (by_admission(), ONE, False),
        (by_admission(), None, False),
        (by_admission(OTHER), ONE, True),
        (by_admission(dataclasses.replace(SIGNER, issuer="https://other.example")), None, True),
        (by_keys(ONE, TWO, admits=True), TWO, False),
        (by_keys(ONE, admits=True), TWO, True),
        (f"{by_keys(ONE)}; {by_admission(OTHER)}", ONE, True),
        ("something else", ONE, True),
        ("", None, False),
    ],
)
def test_hosts_refuse_what_none_of_their_keys_and_signers_has_signed(label, key, refused):
    assert is_refused(label, offered(SIGNER, key)) is refused
