"""The verifier's whole corpus once more: what is refused there admits nothing here."""

import datetime as dt
import time

import pytest

from immutable_base.admission.decide import Admission
from support import attestation_cases, registry_cases, signature_cases
from support.scene import OK

WITHOUT = {
    "signed as another repository, and asked so",
    "asked for as another repository than signed",
}
"""`--signed-as` is a question of a person to `verify`; a host has `mirrors`."""
CASES = {
    **{f"signature: {name}": case for name, case in signature_cases.CASES.items()},
    **{f"attestation: {name}": case for name, case in attestation_cases.CASES.items()},
    **{
        f"registry: {name}": case
        for name, case in registry_cases.CASES.items()
        if name not in WITHOUT
    },
}


def apply(host, scene):
    """Say in a host's words what the arguments of `verify` demand beyond the configuration."""
    if not scene.arguments:
        return
    option, value = scene.arguments
    if option == "--not-older-than":
        host.settings["maximum_age_days"] = int(value.removesuffix("d"))
        return
    assert option == "--signed-after"
    earlier = Admission(
        reference=scene.reference,
        digest="sha256:" + "7" * 64,
        signed_at=int(dt.datetime.fromisoformat(value).timestamp()),
        admitted_at=int(time.time()),
    )
    host.remember(earlier)


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_is_not_admitted(name, host, scene):
    spoil, expected, words = CASES[name]
    spoil(scene)
    apply(host, scene)
    before = set(host.files())
    outcome = host.admit()
    assert outcome.code == expected, f"{outcome.out}\n{outcome.err}"
    assert host.pulls() is (expected == OK)
    assert "Traceback" not in outcome.err
    assert ("admitted " in outcome.out) is (expected == OK)
    if expected != OK:
        assert set(host.files()) == before
        assert words in outcome.err
        assert "Nothing was admitted" in outcome.err or not host.state.exists()


def test_the_corpus_is_large_and_only_these_are_left_out():
    assert len(CASES) >= 330
    assert set(registry_cases.CASES) >= WITHOUT
