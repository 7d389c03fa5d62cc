"""The corpus: what was signed, and by which key."""

from support.forge import b64, new_key, sign
from support.scene import BROKEN, OK
from support.signature_corpus import CASES, OTHER, case, payload_case

# ------------------------------------------------------------------ the signature


@case(BROKEN, "does not hold")
def another_text_was_signed(s):
    s.set_sig(s.sig(signed=s.payload(OTHER)))


@case(BROKEN, "the log's entry is of another signature")
def signed_by_another_key_than_the_certificates(s):
    layer = s.sig()
    text = b64(sign(new_key(), layer.content))
    s.set_sig(layer.noted(signature=text))


@case(BROKEN, "the log's entry is of another signature")
def another_signature_by_the_same_key_than_the_logged_one(s):
    leaf = s.leaf()
    layer = s.sig(leaf=leaf)
    s.set_sig(layer.noted(signature=b64(sign(leaf.key, layer.content))))


for label, change in {
    "empty signature": "",
    "signature that is no base64": "!!!",
    "signature with a line break": lambda text: text + "\n",
    "signature in base64 for URLs": lambda text: text.replace("+", "-").replace("/", "_") + " ",
    "signature cut off": lambda text: text[:-8],
    "no signature": None,
}.items():

    def spoil_signature(s, change=change):
        layer = s.sig()
        old = layer.annotations["dev.cosignproject.cosign/signature"]
        s.set_sig(layer.noted(signature=change(old) if callable(change) else change))

    CASES[label] = (spoil_signature, BROKEN, "the log's entry is of another signature")


@case(BROKEN, "the signature is not a text")
def the_signature_is_a_number(s):
    s.set_sig(s.sig().noted(signature=7))


# ------------------------------------------------------------------ what was signed

payload_case("a signature of another digest", BROKEN, lambda s: s.payload(OTHER), "another image")
payload_case("made for another repository (S2)", BROKEN, lambda s: s.payload(repository=f"{s.host}/os/fedora-base"), "not for this repository")  # fmt: skip
payload_case(
    "made for a repository above (S2)",
    BROKEN,
    lambda s: s.payload(repository=f"{s.host}/os"),
    "/os, not for this repository",
)
payload_case(
    "made for a repository below (S2)",
    BROKEN,
    lambda s: s.payload(repository=s.repository + "/x"),
    "/os/base-zfs/x, not for this repository",
)
payload_case(
    "made for another registry (S2)",
    BROKEN,
    lambda s: s.payload(repository="evil.example/os/base-zfs"),
    "the signature was made for evil.example/os/base-zfs, not for this repository",
)
payload_case(
    "made for no repository (S2)",
    BROKEN,
    lambda s: s.payload(repository=""),
    "the signature was made for , not for this repository",
)
payload_case("made for another tag", BROKEN, lambda s: s.payload(repository=s.repository + ":stable"), "for the tag stable")  # fmt: skip
payload_case(
    "made for a repository with a line break",
    BROKEN,
    lambda s: s.payload(repository=s.repository + ":latest\n"),
    ", not for this repository",
)
payload_case("made for this tag", OK, lambda s: s.payload(repository=s.repository + ":latest"))
payload_case(
    "another type (S15)",
    BROKEN,
    lambda s: s.payload(type="atomic container signature"),
    "the signed text is no cosign container image signature",
)
payload_case(
    "an empty type (S15)",
    BROKEN,
    lambda s: s.payload(type=""),
    "the signed text is no cosign container image signature",
)
payload_case(
    "the type is a list",
    BROKEN,
    lambda s: s.payload(type=[]),
    "the signed text is no cosign container image signature",
)
payload_case(
    "no type",
    BROKEN,
    lambda s: s.payload().replace(b',"type":"cosign container image signature"', b""),
    "the signed text lacks type",
)
payload_case(
    "a key more",
    BROKEN,
    lambda s: s.payload(more=1),
    "the signed text has keys that do not belong there: more",
)
payload_case("without optional", OK, lambda s: s.payload().replace(b',"optional":null', b""))
payload_case(
    "optional is an object",
    OK,
    lambda s: s.payload().replace(b'"optional":null', b'"optional":{"a":1}'),
)
payload_case(
    "optional is a number",
    BROKEN,
    lambda s: s.payload().replace(b'"optional":null', b'"optional":1'),
    "the signed text is not a JSON object",
)
payload_case("not JSON", BROKEN, lambda s: b"hello", "the signed text is not strict JSON")
payload_case("empty", BROKEN, lambda s: b"", "the signed text is not strict JSON")
payload_case("a list", BROKEN, lambda s: b"[]", "the signed text is not a JSON object")
payload_case("null", BROKEN, lambda s: b"null", "the signed text is not a JSON object")
payload_case(
    "in UTF-16",
    BROKEN,
    lambda s: s.payload().decode().encode("utf-16"),
    "the signed text is not strict JSON",
)
payload_case(
    "with a byte order mark",
    BROKEN,
    lambda s: b"\xef\xbb\xbf" + s.payload(),
    "the signed text is not strict JSON",
)
payload_case(
    "with something after it",
    BROKEN,
    lambda s: s.payload() + b"{}",
    "the signed text is not strict JSON",
)
payload_case(
    "with NaN",
    BROKEN,
    lambda s: s.payload().replace(b"null", b"NaN"),
    "the signed text is not strict JSON: NaN is no JSON",
)
payload_case(
    "with infinity",
    BROKEN,
    lambda s: s.payload().replace(b"null", b'{"a":1e400}'),
    "the signed text is not strict JSON: a number is too large",
)
payload_case(
    "a number of 5000 digits",
    BROKEN,
    lambda s: s.payload().replace(b"null", b'{"a":' + b"9" * 5000 + b"}"),
    "the signed text is not strict JSON: a number is too large",
)
payload_case(
    "nested 9000 levels", BROKEN, lambda s: b'{"a":' * 9000 + b"1" + b"}" * 9000, "nested deeper"
)
payload_case(
    "half a character",
    BROKEN,
    lambda s: s.payload().replace(b"null", b'{"a":"\\ud800"}'),
    "the signed text is not strict JSON",
)
payload_case(
    "a line separator in it", OK, lambda s: s.payload().replace(b"null", '{"a":"\u2028"}'.encode())
)
payload_case("the digest twice (S15)", BROKEN, lambda s: s.payload().replace(b'{"docker-manifest-digest"', b'{"docker-manifest-digest":"' + OTHER.encode() + b'","docker-manifest-digest"'), "the signed text is not strict JSON: a key stands twice in an object")  # fmt: skip
payload_case("the digest in another case too (S15)", BROKEN, lambda s: s.payload().replace(b'{"docker-manifest-digest"', b'{"Docker-Manifest-Digest":"' + OTHER.encode() + b'","docker-manifest-digest"'), "the signed text has keys that differ only in case")  # fmt: skip
payload_case("the digest in another case only", BROKEN, lambda s: s.payload().replace(b"docker-manifest-digest", b"Docker-manifest-digest"), "the signed text lacks docker-manifest-digest")  # fmt: skip
payload_case("a key beside critical", BROKEN, lambda s: s.payload().replace(b'{"critical"', b'{"docKer":1,"critical"'), "the signed text has keys that do not belong there: docKer")  # fmt: skip
