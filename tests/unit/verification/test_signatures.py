"""The corpus, first part: who signed what, when, and how it is attached. Negative cases first.

Names in brackets are the defects that the cases would have found: S1 to S16, as in
docs/explanation/trust-model.md.
"""

import pytest

from support.forge import hashedrekord
from support.scene import BROKEN, OK, OTHERS
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


@pytest.mark.parametrize("tag", ["late", "l", "latest.1", "Latest"])
def test_a_tag_that_is_like_another_is_another(scene, tag):
    scene.set_sig(scene.sig(scene.payload(repository=f"{scene.repository}:{tag}")))
    outcome = scene.verify()
    assert outcome.code == BROKEN
    assert f"for the tag {tag}, not for latest" in outcome.err


def test_something_broken_that_another_issuer_vouches_for_is_nobodys_of_ours(scene, foreign):
    """An instance may know our name by another issuer: then it is somebody else's."""
    other = scene.leaf(issuer="https://gitlab.example")
    scene.set_sig(scene.sig(leaf=other, log=foreign), scene.sig(leaf=other))
    assert scene.verify().code == OTHERS


@pytest.mark.parametrize(
    ("signature", "words"),
    [
        ("", "the signature does not hold"),
        ("!!!", "the signature is not base64"),
        ("AAAA\n", "the signature is not base64"),
        ("-_-_", "the signature is not base64"),
    ],
)
def test_what_the_log_has_as_well_is_still_no_signature(scene, signature, words):
    """In the corpus the log has another one, which is what those are refused for."""

    def entry(payload, given, pem):
        body = hashedrekord(payload, given, pem)
        body["spec"]["signature"]["content"] = signature
        return body

    scene.set_sig(scene.sig(entry=entry).noted(signature=signature))
    outcome = scene.verify()
    assert outcome.code == BROKEN
    assert words in outcome.err


def test_the_certificate_of_an_authority_signs_no_image_even_if_it_is_for_signatures(scene):
    scene.set_sig(scene.sig(leaf=scene.leaf(ca=True)))
    outcome = scene.verify()
    assert outcome.code == BROKEN
    assert "the certificate is an authority's" in outcome.err


@pytest.mark.parametrize("indexes", [(30, 31), (31, 30)])
def test_of_two_signatures_of_one_second_the_later_entry_is_told(scene, indexes):
    scene.set_sig(*(scene.sig(index=index) for index in indexes))
    assert "log       entry 31" in scene.verify().out


def test_the_corpus_is_large():
    assert len(CASES) >= 120
