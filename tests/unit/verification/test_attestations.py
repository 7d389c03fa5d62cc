"""The corpus, second part: SBOM attestations. What is used must be what was signed, byte for byte."""

import pytest

from support.attestation_cases import CASES
from support.forge import NOW, SBOM, dsse_entry, statement
from support.scene import BROKEN, OK


@pytest.mark.parametrize("name", CASES)
def test_attestations(name, scene, foreign):
    spoil, expected, words = CASES[name]
    scene.foreign = foreign
    spoil(scene)
    outcome = scene.verify()
    assert outcome.code == expected, f"{outcome.out}\n{outcome.err}"
    assert words in outcome.out + outcome.err
    assert ("verified" in outcome.out) is (expected == OK)
    assert "1234 components" not in outcome.out


def test_an_entry_of_the_log_is_of_one_signature(scene):
    def entry(*given):
        body = dsse_entry(*given)
        body["spec"]["signatures"] *= 2
        return body

    scene.set_att(scene.att(entry=entry))
    outcome = scene.verify()
    assert outcome.code == BROKEN
    assert "has 2 signatures, not one" in outcome.err


def test_of_two_sboms_the_newest_is_told_and_that_there_is_another_one(scene):
    newer = {**SBOM, "components": [{"name": "a"}, {"name": "b"}]}
    scene.set_att(scene.att(statement(scene.digest, newer), when=NOW + 9), scene.att())
    outcome = scene.verify()
    assert "2 components" in outcome.out
    assert "1 older SBOMs by the same signer" in outcome.out


@pytest.mark.parametrize("reverse", [False, True])
def test_of_two_sboms_of_one_second_the_later_entry_counts_wherever_it_lies(scene, reverse):
    """Whoever may write to the registry may change their order, and so must not choose."""
    newer = {**SBOM, "components": [{"name": "a"}, {"name": "b"}]}
    layers = [scene.att(index=20), scene.att(statement(scene.digest, newer), index=21)]
    scene.set_att(*(reversed(layers) if reverse else layers))
    assert "same signer, 2 components" in scene.verify().out
