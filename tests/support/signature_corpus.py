"""How cases of signatures are added to the corpus, and what is in it so far."""

from cryptography import x509

from support.corpus import Corpus

OTHER = "sha256:" + "2" * 64
CASES = Corpus()
TEXTS = {}
"""Of the cases that are about the text that was signed: what makes it of a scene."""


def case(expected, words=""):
    def keep(function):
        name = function.__name__.replace("_", " ")
        CASES[name] = (function, expected, words)
        return function

    return keep


def leaf_case(name, expected, words="", **changes):
    CASES[name] = (lambda s: s.set_sig(s.sig(leaf=s.leaf(**changes))), expected, words)


def payload_case(name, expected, make, words=""):
    TEXTS[name] = make
    CASES[name] = (lambda s: s.set_sig(s.sig(make(s))), expected, words)


def uri(text):
    return x509.UniformResourceIdentifier(text)


def put(path, value):
    def change(bundle):
        *parents, last = path
        for key in parents:
            bundle = bundle[key]
        bundle[last] = value

    return change
