"""The verifier's whole corpus once more: what is refused there admits nothing here."""

import pytest

from support.host_corpus import CASES, CORPORA, WITHOUT, apply_arguments
from support.scene import OK


@pytest.mark.parametrize("name", CASES)
def test_what_is_refused_is_not_admitted(name, host, scene):
    spoil, expected, words = CASES[name]
    spoil(scene)
    apply_arguments(host, scene)
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
    assert len(CASES) + len(WITHOUT) == sum(map(len, CORPORA.values()))
