"""The corpus, first part: who signed what, when, and how it is attached. Negative cases first.

Names in brackets are the defects that the cases would have found: S1 to S16, as in
docs/explanation/trust-model.md.
"""

import pytest

from support.scene import OK
from support.signature_cases import CASES


@pytest.mark.parametrize("name", CASES)
def test_signatures(name, scene, foreign):
    spoil, expected, words = CASES[name]
    scene.foreign = foreign
    spoil(scene)
    outcome = scene.verify()
    assert outcome.code == expected, f"{outcome.out}\n{outcome.err}"
    assert words in outcome.out + outcome.err
    assert ("verified" in outcome.out) is (expected == OK)
    assert "Traceback" not in outcome.err


def test_the_corpus_is_large():
    assert len(CASES) >= 120
