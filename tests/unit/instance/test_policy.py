"""A policy.json that accepts more than the base's is found out."""

import json

import pytest

from immutable_base.instance.policy import policy_objections

ANYTHING, REJECT = {"type": "insecureAcceptAnything"}, {"type": "reject"}
KEY = {"type": "sigstoreSigned", "keyPath": "/etc/pki/a.pub"}
OTHER = {"type": "sigstoreSigned", "keyPath": "/etc/pki/b.pub"}


def policy(default, **transports):
    return json.dumps({"default": default, "transports": transports})


BASE = policy([REJECT], docker={"registry.example": [KEY], "": [ANYTHING]}, oci={"": [ANYTHING]})
FINE = {
    "the same": BASE,
    "in other words": json.dumps(json.loads(BASE), indent=4),
    "a scope more": policy([REJECT], docker={"registry.example": [KEY], "": [ANYTHING], "x.example": [KEY]}, oci={"": [ANYTHING]}),
    "one more demand": policy([REJECT], docker={"registry.example": [KEY, OTHER], "": [KEY]}, oci={"": [REJECT]}),
    "all rejected": policy([REJECT], docker={"registry.example": [REJECT]}),
    "a scope that says the same as the wider one": policy([REJECT], docker={"registry.example": [KEY], "registry.example/x": [KEY], "": [ANYTHING]}, oci={"": [ANYTHING]}),
}  # fmt: skip
LOOSER = {
    "another default": policy([ANYTHING], docker={"registry.example": [KEY], "": [ANYTHING]}, oci={"": [ANYTHING]}),
    "another key": policy([REJECT], docker={"registry.example": [OTHER], "": [ANYTHING]}, oci={"": [ANYTHING]}),
    "a scope that is gone": policy([REJECT], docker={"": [ANYTHING]}, oci={"": [ANYTHING]}),
    "a narrower scope": policy([REJECT], docker={"registry.example": [KEY], "registry.example/x": [ANYTHING], "": [ANYTHING]}, oci={"": [ANYTHING]}),
    "a new transport": policy([REJECT], docker={"registry.example": [KEY], "": [ANYTHING]}, oci={"": [ANYTHING]}, dir={"": [ANYTHING]}),
    "no policy": "{}",
    "no JSON": "x",
    "a list": "[]",
    "transports that are a text": '{"default": [], "transports": "x"}',
}  # fmt: skip


@pytest.mark.parametrize("text", FINE.values(), ids=FINE.keys())
def test_a_policy_as_strict_as_the_base_s_is_fine(text):
    assert policy_objections(BASE, text) == ()


@pytest.mark.parametrize("text", LOOSER.values(), ids=LOOSER.keys())
def test_a_policy_that_accepts_more_is_objected_to(text):
    assert policy_objections(BASE, text)


def test_the_scope_is_named():
    (line,) = policy_objections(BASE, LOOSER["a narrower scope"])
    assert line == "docker registry.example/x: insecureAcceptAnything, in the base sigstoreSigned"


def test_a_wildcard_of_hosts_is_a_wider_scope():
    base = policy([ANYTHING], docker={"*.example": [KEY]})
    assert policy_objections(
        base, policy([ANYTHING], docker={"*.example": [KEY], "a.b.example/x": [ANYTHING]})
    )


def test_a_base_that_cannot_be_read_excuses_only_the_same_text():
    assert policy_objections("x", "x") == ()
    assert policy_objections("x", BASE)
