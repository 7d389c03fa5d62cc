"""The corpus: who signed, by what their certificate says."""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from support.forge import (
    CLAIMS,
    IDENTITY,
    ISSUER,
    NOW,
    authority,
    new_key,
    pem_of,
    usage,
    utf8_string,
)
from support.scene import BROKEN, OK, OTHERS
from support.signature_corpus import CASES, case, leaf_case, uri

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
