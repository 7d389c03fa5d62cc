"""The corpus, fourth and fifth part: provenances and full SBOMs. What holds must be ours, and whole."""

import pytest

from support import full_sbom_cases, provenance_cases
from support.scene import OK


def check(case, scene, foreign):
    spoil, expected, words = case
    scene.foreign = foreign
    spoil(scene)
    outcome = scene.verify()
    assert outcome.code == expected, f"{outcome.out}\n{outcome.err}"
    assert words in outcome.out + outcome.err
    assert ("verified" in outcome.out) is (expected == OK)
    assert "1234 components" not in outcome.out


@pytest.mark.parametrize("name", provenance_cases.CASES)
def test_provenances(name, scene, foreign):
    check(provenance_cases.CASES[name], scene, foreign)


@pytest.mark.parametrize("keeps_lists", [True, False], ids=["API", "tag"])
@pytest.mark.parametrize("name", full_sbom_cases.CASES)
def test_full_sboms(name, scene, foreign, keeps_lists):
    scene.registry.has_referrers = keeps_lists
    scene.registry.refer(scene.digest)
    if keeps_lists:
        del scene.registry.manifests[scene.digest.replace(":", "-")]
    check(full_sbom_cases.CASES[name], scene, foreign)
