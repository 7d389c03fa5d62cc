"""The corpus, first part: who signed what, when, and how it is attached. Negative cases first.

Names in brackets are the defects that the cases would have found: S1 to S16, as in
docs/explanation/trust-model.md.
"""

import json

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.corpus import Corpus
from support.forge import (
    CLAIMS,
    IDENTITY,
    ISSUER,
    NOW,
    authority,
    b64,
    compact,
    dsse_entry,
    hashedrekord,
    new_key,
    pem_of,
    sign,
    usage,
    utf8_string,
)
from support.scene import BROKEN, NOT_SIGNED, OK, OTHERS

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


# ------------------------------------------------------------------ who

for suffix in ("/", " ", "x"):
    leaf_case(f"identity with {suffix!r} after it", OTHERS, "signed by", identity=IDENTITY + suffix)
leaf_case("another branch", OTHERS, "refs/heads/topic", identity=IDENTITY.replace("main", "topic"))
leaf_case(
    "a tag of the same name", OTHERS, "@refs/tags/main", identity=IDENTITY.replace("heads", "tags")
)
leaf_case(
    "another file",
    OTHERS,
    "//evil.yml@refs/heads/main",
    identity=IDENTITY.replace(".gitlab-ci", "evil"),
)
leaf_case(
    "another project",
    OTHERS,
    "signed by https://gitlab.com/a/b//",
    identity=IDENTITY.replace("immutable-base/immutable-base", "a/b"),
)
leaf_case(
    "identity in capitals", OTHERS, "signed by HTTPS://GITLAB.COM/", identity=IDENTITY.upper()
)
leaf_case("identity that begins like ours", OTHERS, "@refs/heads/mai\n", identity=IDENTITY[:-1])
leaf_case(
    "http instead of https",
    OTHERS,
    "signed by http://gitlab.com/",
    identity=IDENTITY.replace("https", "http"),
)
leaf_case(
    "one slash instead of two",
    OTHERS,
    "immutable-base/.gitlab-ci.yml@",
    identity=IDENTITY.replace("//.git", "/.git"),
)
leaf_case("another issuer", OTHERS, "https://evil.example vouches", issuer="https://evil.example")
leaf_case("issuer with a slash", OTHERS, "https://gitlab.com/ vouches", issuer=ISSUER + "/")
leaf_case("two names (S15)", BROKEN, "2 names", names=[uri(IDENTITY), uri("https://evil.example/")])
leaf_case(
    "two names, ours last (S15)",
    BROKEN,
    "the certificate has 2 names, not one",
    names=[uri("https://evil.example/"), uri(IDENTITY)],
)
leaf_case(
    "the same name twice", BROKEN, "the certificate has 2 names, not one", names=[uri(IDENTITY)] * 2
)
leaf_case(
    "a URI and a host name",
    BROKEN,
    "the certificate has 2 names, not one",
    names=[uri(IDENTITY), x509.DNSName("gitlab.com")],
)
leaf_case("no name", BROKEN, "the certificate cannot be read", names=[])
leaf_case(
    "a host name",
    BROKEN,
    "the certificate's name is neither a URI nor an e-mail address",
    names=[x509.DNSName("gitlab.com")],
)
leaf_case(
    "an e-mail address",
    OTHERS,
    "signed by me@example.org",
    names=[x509.RFC822Name("me@example.org")],
)
leaf_case("issuers that disagree (S15)", BROKEN, "disagree", v1=ISSUER, v2="https://evil.example")
leaf_case(
    "issuers that disagree the other way (S15)",
    BROKEN,
    "the certificate's issuer extensions disagree",
    v1="https://evil.example",
    v2=ISSUER,
)
leaf_case("no issuer", BROKEN, "no OIDC issuer", v1=None, v2=None)
leaf_case("only the old issuer extension", OK, v2=None)
leaf_case("only the new issuer extension", OK, v1=None)

# ------------------------------------------------------------------ the certificate

leaf_case(
    "a job that writes a line of its own",
    OK,
    "job       https://gitlab.com/1\\x0asigner    \\x202ehttps://gitlab.com/x",
    claims={**CLAIMS, "job_url": "https://gitlab.com/1\nsigner    \u202ehttps://gitlab.com/x"},
)

leaf_case("no SCT", BROKEN, "no SCT", ct_key=None)
leaf_case("SCT of a foreign log", BROKEN, "no trusted CT log", ct_key=new_key())
leaf_case("SCT for another issuer", BROKEN, "no trusted CT log", sct_issuer=new_key())
leaf_case("three SCTs", OK, stamps=3)
leaf_case(
    "not for code signing",
    BROKEN,
    "the certificate is not for code signing alone",
    purposes=(ExtendedKeyUsageOID.SERVER_AUTH,),
)
leaf_case("for code signing and more", BROKEN, "the certificate is not for code signing alone", purposes=(ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.SERVER_AUTH))  # fmt: skip
leaf_case(
    "for anything",
    BROKEN,
    "the certificate is not for code signing alone",
    purposes=(ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE,),
)
leaf_case("without purpose", BROKEN, "the certificate cannot be read", purposes=())
leaf_case(
    "not for signatures",
    BROKEN,
    "the certificate is not for signatures",
    use=usage(key_agreement=True),
)
leaf_case(
    "an authority's own",
    BROKEN,
    "the certificate is not for signatures",
    ca=True,
    use=usage(digital_signature=True, key_cert_sign=True),
)
leaf_case("says that it is no authority", OK, ca=False)
leaf_case("a P-384 key", OK, key=new_key(ec.SECP384R1))
leaf_case("an unknown critical extension", BROKEN, "is not understood", extra=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x"), True)])  # fmt: skip
leaf_case("an unknown extension", OK, extra=[(x509.UnrecognizedExtension(x509.ObjectIdentifier("1.2.3.4"), b"x"), False)])  # fmt: skip
leaf_case("expired before the log's time", BROKEN, "no trusted root", when=NOW - 1000)
leaf_case("not valid yet at the log's time", BROKEN, "no trusted root", when=NOW + 1000)


@case(BROKEN, "no trusted root")
def certificate_of_a_foreign_authority(s):
    s.set_sig(s.sig(leaf=s.foreign.leaf()))


@case(BROKEN, "no trusted root")
def certificate_and_chain_of_a_foreign_authority(s):
    s.set_sig(s.sig(leaf=s.foreign.leaf(), chain=pem_of(s.foreign.root)))


@case(BROKEN, "the entry is in a log that is not trusted")
def everything_of_a_foreign_sigstore(s):
    chain = pem_of(s.foreign.root)
    s.set_sig(s.sig(leaf=s.foreign.leaf(), chain=chain, log=s.foreign))


@case(BROKEN, "no trusted root vouches for the certificate")
def self_signed_certificate(s):
    key = new_key()
    mine = authority("test fulcio", key)
    s.set_sig(s.sig(leaf=s.leaf(by=(mine, key), key=key)))


@case(BROKEN, "the certificate's chain cannot be read")
def issued_by_a_leaf_of_ours(s):
    issuing = s.leaf()
    s.set_sig(s.sig(leaf=s.leaf(by=(issuing.certificate, issuing.key)), chain=issuing.pem))


def with_intermediate(s, **changes):
    key = new_key()
    made = authority("between", key, s.instance.root, s.instance.root_key, **changes)
    return s.leaf(by=(made, key)), pem_of(made)


@case(OK)
def an_intermediate_in_the_chain(s):
    leaf, chain = with_intermediate(s)
    s.set_sig(s.sig(leaf=leaf, chain=chain + pem_of(s.instance.root)))


@case(OK)
def an_intermediate_without_the_root(s):
    leaf, chain = with_intermediate(s)
    s.set_sig(s.sig(leaf=leaf, chain=chain))


@case(BROKEN, "no trusted root")
def an_intermediate_that_is_left_out(s):
    leaf, _ = with_intermediate(s)
    s.set_sig(s.sig(leaf=leaf, chain=None))


for label, changes in {
    "is no authority": {"ca": False},
    "has expired": {"years": 0.5},
    "is for servers": {"purposes": (ExtendedKeyUsageOID.SERVER_AUTH,)},
    "has name constraints": {"extra": (x509.NameConstraints([x509.DNSName("x")], None),)},
}.items():

    def between(s, changes=changes):
        leaf, chain = with_intermediate(s, **changes)
        s.set_sig(s.sig(leaf=leaf, chain=chain + pem_of(s.instance.root)))

    CASES[f"an intermediate that {label}"] = (between, BROKEN, "no trusted root")


@case(BROKEN, "no trusted root")
def two_intermediates_where_one_is_allowed(s):
    first, second = new_key(), new_key()
    upper = authority("upper", first, s.instance.root, s.instance.root_key, path_length=0)
    lower = authority("lower", second, upper, first)
    chain = pem_of(lower) + pem_of(upper)
    s.set_sig(s.sig(leaf=s.leaf(by=(lower, second)), chain=chain))


@case(BROKEN, "too long")
def a_chain_of_a_thousand(s):
    s.set_sig(s.sig(chain=pem_of(s.instance.root) * 50))


@case(OK)
def no_chain_beside_it(s):
    s.set_sig(s.sig(chain=None))


@case(BROKEN, "no trusted root vouches for the certificate")
def a_chain_that_is_not_the_certificates(s):
    s.set_sig(s.sig(chain=pem_of(s.foreign.root)))


@case(BROKEN, "is not PEM")
def a_chain_with_words_before_it(s):
    s.set_sig(s.sig(chain="hello\n" + pem_of(s.instance.root)))


@case(BROKEN, "the chain is not a text")
def a_chain_that_is_a_number(s):
    s.set_sig(s.sig().noted(chain=0))


def key_case(name, key):
    def spoil(s):
        leaf = s.leaf()
        made = s.leaf(key=leaf.key)
        layer = s.sig(leaf=made)
        s.set_sig(layer.noted(certificate=s.leaf(key=key).pem))

    CASES[name] = (spoil, BROKEN, "not ECDSA")


key_case("an RSA key in the certificate", rsa.generate_private_key(65537, 2048))
key_case("an Ed25519 key in the certificate", ed25519.Ed25519PrivateKey.generate())

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

# ------------------------------------------------------------------ the log


def bundle_case(name, change, words=""):
    CASES[name] = (lambda s: s.set_sig(s.sig().rebundled(change)), BROKEN, words)


def put(path, value):
    def change(bundle):
        *parents, last = path
        for key in parents:
            bundle = bundle[key]
        bundle[last] = value

    return change


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


# ------------------------------------------------------------------ the certificate's text


@case(BROKEN, "the certificate is not PEM")
def the_certificate_is_not_pem(s):
    s.set_sig(s.sig().noted(certificate="hello"))


@case(BROKEN, "the certificate cannot be read")
def the_certificate_is_two(s):
    layer = s.sig()
    s.set_sig(layer.noted(certificate=layer.annotations["dev.sigstore.cosign/certificate"] * 2))


@case(BROKEN, "the certificate is not PEM")
def the_certificate_has_words_after_it(s):
    layer = s.sig()
    s.set_sig(layer.noted(certificate=layer.annotations["dev.sigstore.cosign/certificate"] + "x\n"))


@case(BROKEN, "the certificate is not PEM")
def the_certificate_in_other_lines(s):
    layer = s.sig()
    text = layer.annotations["dev.sigstore.cosign/certificate"]
    s.set_sig(layer.noted(certificate=text.replace("\n", "\r\n")))


@case(OTHERS, "without a certificate")
def signed_by_a_key_only(s):
    s.set_sig(s.sig().noted(certificate=None, bundle=None, chain=None))


@case(BROKEN, "an extension of the certificate is not DER")
def the_issuer_extension_is_not_der(s):
    from support.forge import ISSUER_V2

    s.set_sig(s.sig(leaf=s.leaf(v2=None, extra=[(x509.UnrecognizedExtension(ISSUER_V2, utf8_string(ISSUER) + b"x"), False)])))  # fmt: skip


@case(BROKEN, "the certificate cannot be read")
def the_issuer_extension_is_not_utf8(s):
    from support.forge import ISSUER_V1

    s.set_sig(s.sig(leaf=s.leaf(v1=None, extra=[(x509.UnrecognizedExtension(ISSUER_V1, b"\xff\xfe"), False)])))  # fmt: skip


# ------------------------------------------------------------------ how it is attached


@case(NOT_SIGNED, "has no signature")
def no_signature_tag(s):
    s.remove("sig")


@case(NOT_SIGNED, "has no valid signature by")
def a_signature_tag_without_items(s):
    s.set_sig()


@case(NOT_SIGNED, "something else")
def a_signature_tag_with_other_things(s):
    s.registry.attach_raw(
        s.digest, "sig", [{"mediaType": "text/plain", "digest": OTHER, "size": 1}] * 3
    )


@case(NOT_SIGNED, "has no valid signature by")
def the_image_itself_under_the_signature_tag(s):
    s.registry.manifests[f"{s.digest.replace(':', '-')}.sig"] = s.registry.manifests[s.digest]


@case(OK, "1000 items")
def a_thousand_junk_layers_before_the_good_one(s):
    junk = [
        {
            "mediaType": "application/vnd.dev.cosign.simplesigning.v1+json",
            "digest": OTHER,
            "size": 1,
        }
    ]
    s.registry.attach_raw(s.digest, "sig", junk * 1000 + [s.sig().descriptor()])
    s.registry.add_blob(s.sig().content)


@case(OK, "1 items")
def one_layer_that_makes_cosign_panic_beside_the_good_one(s):
    s.set_sig(s.sig().rebundled(put(["Payload", "body"], 7)), s.sig())


@case(OK, "3 items")
def layers_of_every_wrong_form_beside_the_good_one(s):
    good = s.sig()
    s.registry.attach(s.digest, "sig", good)
    s.registry.attach_raw(s.digest, "sig", [7, None, [], good.descriptor()])


@case(OK, "1 items")
def somebody_elses_signature_beside_ours(s):
    s.set_sig(
        s.sig(leaf=s.leaf(identity="https://gitlab.com/x/y//.gitlab-ci.yml@refs/heads/main")),
        s.sig(),
    )


@case(OTHERS, "signed by https://gitlab.com/x/0")
def fifty_signatures_by_others(s):
    s.set_sig(*[s.sig(leaf=s.leaf(identity=f"https://gitlab.com/x/{n}")) for n in range(50)])


@case(OTHERS, "signed by https://gitlab.com/x")
def others_and_junk(s):
    other = s.sig(leaf=s.leaf(identity="https://gitlab.com/x"))
    s.registry.attach_raw(s.digest, "sig", [{"mediaType": other.media_type}, other.descriptor()])


@case(BROKEN, "the entry is in a log that is not trusted")
def others_and_a_broken_one_of_ours(s):
    s.set_sig(s.sig(leaf=s.leaf(identity="https://gitlab.com/x")), s.sig(log=s.foreign))


@case(OTHERS, "signed by https://gitlab.com/x")
def others_and_a_broken_one_of_others(s):
    leaf = s.leaf(identity="https://gitlab.com/x")
    s.set_sig(s.sig(leaf=leaf), s.sig(leaf=leaf, log=s.foreign))


@case(OK)
def older_signatures_of_other_images_by_us_before_the_good_one(s):
    s.set_sig(
        *[s.sig(s.payload("sha256:" + f"{n:064x}"), when=NOW + 100) for n in range(60)], s.sig()
    )


@case(BROKEN, "an item's digest is not a text")
def only_junk(s):
    s.registry.attach_raw(s.digest, "sig", [{"mediaType": s.sig().media_type}] * 3)


@case(BROKEN, "the registry does not have what its manifest names")
def the_registry_lacks_the_signed_text(s):
    s.registry.blobs.pop(next(iter(json.loads(s.registry.manifests[f"{s.digest.replace(':', '-')}.sig"])["layers"]))["digest"])  # fmt: skip


@case(BROKEN, "the registry does not have what its manifest names")
def the_registry_serves_another_text(s):
    layer = s.sig()
    s.registry.blobs[layer.descriptor()["digest"]] = b"x" * len(layer.content)


for label, (raw, words) in {
    "not JSON": (b"hello", " is not strict JSON"),
    "empty": (b"", " is not strict JSON"),
    "a list": (b"[]", " is not a JSON object"),
    "without layers": (b"{}", ": its layers is not a list"),
    "with layers that are a text": (b'{"layers":"x"}', ": its layers is not a list"),
    "with layers twice": (
        b'{"layers":[],"layers":[]}',
        " is not strict JSON: a key stands twice in an object",
    ),
    "with layers in two cases": (
        b'{"layers":[],"Layers":[]}',
        " has keys that differ only in case",
    ),
    "with layers null": (b'{"layers":null}', ": its layers is not a list"),
    "nested too deep": (b"[" * 100_000, " is nested deeper than 64 levels"),
}.items():

    def spoil_manifest(s, raw=raw):
        s.registry.manifests[f"{s.digest.replace(':', '-')}.sig"] = raw

    said = f"the manifest beside the image{words}"
    CASES[f"the signature's manifest is {label}"] = (spoil_manifest, BROKEN, said)


@case(BROKEN, "an item's digest or size is not acceptable")
def an_item_that_claims_to_be_huge(s):
    descriptor = {**s.sig().descriptor(), "size": 10**12}
    s.registry.attach_raw(s.digest, "sig", [descriptor])


@case(BROKEN, "an item's digest or size is not acceptable")
def an_item_of_a_weak_digest(s):
    s.registry.attach_raw(s.digest, "sig", [{**s.sig().descriptor(), "digest": "md5:" + "0" * 32}])


@case(OK)
def everything_good(s):
    pass
