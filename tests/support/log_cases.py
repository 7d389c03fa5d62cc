"""The corpus: what the transparency log says of a signature."""

from support.forge import NOW, b64, compact, dsse_entry, hashedrekord, new_key
from support.scene import BROKEN
from support.signature_corpus import CASES, case, put


def bundle_case(name, change, words=""):
    CASES[name] = (lambda s: s.set_sig(s.sig().rebundled(change)), BROKEN, words)


for label, (value, words) in {
    "a number": (7, "the log's entry is not a text"),
    "null": (None, "the log's entry is not a text"),
    "a list": ([], "the log's entry is not a text"),
    "text": ("hello", "the log's signature of the entry does not hold"),
    "empty": ("", "the log's signature of the entry does not hold"),
}.items():
    bundle_case(f"the entry is {label} (S5)", put(["Payload", "body"], value), words)
bundle_case(
    "the log's time was changed", put(["Payload", "integratedTime"], NOW + 2), "does not hold"
)
bundle_case(
    "the log's time is a text",
    put(["Payload", "integratedTime"], str(NOW)),
    "the log's time is not a count",
)
bundle_case(
    "the log's time is true",
    put(["Payload", "integratedTime"], True),
    "the log's time is not a count",
)
bundle_case(
    "the log's time is negative",
    put(["Payload", "integratedTime"], -1),
    "the log's time is not a count",
)
bundle_case(
    "the log's time has a fraction",
    put(["Payload", "integratedTime"], NOW + 0.5),
    "the log's time is not a count",
)
bundle_case(
    "the log's time is huge",
    put(["Payload", "integratedTime"], 10**30),
    "the log's time is not a count",
)
bundle_case("the log's index was changed", put(["Payload", "logIndex"], 8), "does not hold")
bundle_case("another log", put(["Payload", "logID"], "0" * 64), "not trusted")
bundle_case(
    "a key more in the bundle",
    put(["more"], 1),
    "the log's bundle has keys that do not belong there: more",
)
bundle_case(
    "a key more in the bundle's payload",
    put(["Payload", "more"], 1),
    "the log's bundle has keys that do not belong there: more",
)
bundle_case(
    "the payload a second time in another case",
    put(["payload"], {}),
    "the log's bundle has keys that differ only in case",
)
bundle_case(
    "the SET is empty",
    put(["SignedEntryTimestamp"], ""),
    "the log's signature of the entry does not hold",
)
bundle_case(
    "the SET is a number", put(["SignedEntryTimestamp"], 1), "the log's signature is not a text"
)


@case(BROKEN, "the log's bundle is not a text")
def no_bundle_at_all(s):
    s.set_sig(s.sig().noted(bundle=None))


@case(BROKEN, "the log's bundle is not strict JSON")
def the_bundle_is_not_json(s):
    s.set_sig(s.sig().noted(bundle="hello"))


@case(BROKEN, "the log's bundle is not a JSON object")
def the_bundle_is_null(s):
    s.set_sig(s.sig().noted(bundle="null"))


@case(BROKEN, "not trusted")
def an_entry_of_a_foreign_log(s):
    s.set_sig(s.sig(log=s.foreign))


@case(BROKEN, "does not hold")
def an_entry_of_a_foreign_log_under_our_logs_name(s):
    from support.forge import hashlib, spki

    s.set_sig(s.sig(key=new_key(), log_id=hashlib.sha256(spki(s.instance.rekor_key)).hexdigest()))


@case(BROKEN, "another certificate")
def an_entry_by_another_certificate_of_ours(s):
    leaf = s.leaf()
    layer = s.sig(leaf=leaf)
    s.set_sig(layer.noted(certificate=s.leaf(key=leaf.key).pem))


def entry_case(name, entry, words=""):
    CASES[name] = (lambda s: s.set_sig(s.sig(entry=entry)), BROKEN, words)


def changed_entry(change):
    def entry(payload, signature, pem):
        body = hashedrekord(payload, signature, pem)
        change(body)
        return body

    return entry


entry_case("the entry is of another text", lambda p, s, c: hashedrekord(b"x", s, c), "another text")
entry_case(
    "the entry is of another signature",
    lambda p, s, c: hashedrekord(p, b64(b"x"), c),
    "another signature",
)
entry_case(
    "the entry is an attestation's",
    lambda p, s, c: dsse_entry(p, p, s, c),
    "the log's entry is a dsse 0.0.1, not a signature's",
)
entry_case(
    "the entry is of a kind that proves nothing",
    changed_entry(put(["kind"], "rfc3161")),
    "proves nothing",
)
entry_case(
    "the entry is of a newer version", changed_entry(put(["apiVersion"], "0.0.2")), "proves nothing"
)
entry_case(
    "the entry's hash is a SHA-1",
    changed_entry(put(["spec", "data", "hash", "algorithm"], "sha1")),
    "the entry's hash is not a SHA-256",
)
entry_case(
    "the entry's hash is null",
    changed_entry(put(["spec", "data", "hash"], None)),
    "the entry's hash is not a JSON object",
)
entry_case(
    "the entry has a key more",
    changed_entry(put(["spec", "more"], 1)),
    "the entry has keys that do not belong there: more",
)
entry_case(
    "the entry has no certificate",
    changed_entry(put(["spec", "signature", "publicKey"], {})),
    "the entry's key lacks content",
)
entry_case(
    "the entry's kind is a list", changed_entry(put(["kind"], [])), "the log's entry is not a text"
)
entry_case(
    "the entry is signed, and a number", lambda *_: b"7", "the log's entry is not a JSON object"
)
entry_case(
    "the entry is signed, and nested too deep",
    lambda *_: b"[" * 5000,
    "the log's entry is nested deeper than 64 levels",
)
entry_case("the entry has a key twice", lambda p, s, c: compact(hashedrekord(p, s, c)).replace(b'{"apiVersion"', b'{"kind":"x","apiVersion"'), "the log's entry is not strict JSON: a key stands twice in an object")  # fmt: skip
