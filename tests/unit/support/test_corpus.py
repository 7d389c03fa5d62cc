"""The corpus takes no case that would hide something: neither a name twice, nor a refusal without words."""

import pytest

from support.corpus import Corpus
from support.scene import BROKEN, OK


def test_a_refusal_has_words_and_what_is_taken_needs_none():
    cases = Corpus()
    cases["good"] = (id, OK, "")
    cases["bad"] = (id, BROKEN, "is not understood")
    with pytest.raises(AssertionError, match="'silent' is refused, and nobody says why"):
        cases["silent"] = (id, BROKEN, "")
    assert list(cases) == ["good", "bad"]


def test_no_name_is_there_twice():
    cases = Corpus(good=(id, OK, ""))
    with pytest.raises(AssertionError, match="two cases 'good'"):
        cases["good"] = (id, OK, "")
