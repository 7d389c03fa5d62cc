"""How cases of SBOM attestations are added to the corpus, and what is in it so far."""

from support.corpus import Corpus
from support.forge import b64, compact, statement

OTHER = "sha256:" + "2" * 64
LIE = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [{"name": "x"}] * 1234}
CASES = Corpus()


def add(name, expected, spoil, words=""):
    CASES[name] = (spoil, expected, words)


def statement_case(name, expected, make, words=""):
    add(name, expected, lambda s: s.set_att(s.att(make(s))), words)


def envelope_case(name, expected, write, words="", **more):
    add(
        name, expected, lambda s: s.set_att(s.att(write=lambda p, g: write(s, p, g), **more)), words
    )


def leaf_case(name, expected, words="", **changes):
    add(name, expected, lambda s: s.set_att(s.att(leaf=s.leaf(**changes))), words)


def lie(s):
    return b64(compact(statement(s.digest, LIE)))


def text(
    payload, signature, *, before="", after="", kind="application/vnd.in-toto+json", signatures=None
):
    given = compact(
        [{"keyid": "", "sig": signature}] if signatures is None else signatures
    ).decode()
    return f'{{{before}"payloadType":"{kind}","payload":"{payload}","signatures":{given}{after}}}'.encode()
