"""The trust in an instance is whole, or an error."""

import base64
import json
import warnings

import pytest

from immutable_base.errors import ConfigurationError
from immutable_base.public_trust import SHIPPED as PUBLIC_ROOT
from immutable_base.verification.attached import BUNDLE
from immutable_base.verification.certificate import read_leaf, require_chain
from immutable_base.verification.log_entry import read_entry
from immutable_base.verification.roots import Period, private_roots, public_roots
from immutable_base.verification.sct import require_sct
from immutable_base.verification.skipped import Skipped
from support.forge import NOW, Instance, authority, new_key, pem_of, public_pem, signature, spki

DOCUMENT = json.loads(PUBLIC_ROOT.read_text())


def described(instance, *, start="2021-01-01T00:00:00Z", end=None):
    """Return a trusted_root.json about an instance of the tests' own."""
    der = base64.b64encode(instance.root.public_bytes(encoding_der())).decode()
    period = {"start": start, **({"end": end} if end else {})}

    def log(key):
        return {"publicKey": {"rawBytes": base64.b64encode(spki(key)).decode(), "validFor": period}}

    return {
        "mediaType": DOCUMENT["mediaType"],
        "certificateAuthorities": [
            {"certChain": {"certificates": [{"rawBytes": der}]}, "validFor": period}
        ],
        "tlogs": [log(instance.rekor_key)],
        "ctlogs": [log(instance.ct_key)],
    }


def encoding_der():
    from cryptography.hazmat.primitives.serialization import Encoding

    return Encoding.DER


def read(document):
    return public_roots(json.dumps(document).encode(), instance="x", source="here")


def test_the_public_instances_trust_is_what_it_was_when_this_version_was_made():
    roots = public_roots(PUBLIC_ROOT.read_bytes(), instance="x", source="here")
    assert [item.split()[0] for item in roots.fingerprints] == [
        "fulcio",
        "fulcio",
        "rekor",
        "ct",
        "ct",
    ]
    assert [len(item.intermediates) for item in roots.authorities] == [0, 1]
    assert roots.authorities[0].period.end is not None


def test_a_trusted_root_of_ones_own(instance):
    roots = read(described(instance))
    assert roots.fingerprints == instance.roots().fingerprints
    leaf = read_leaf(instance.leaf().pem)
    assert require_chain(leaf, [], roots, NOW + 1) == instance.root


@pytest.mark.parametrize(
    "period", [{"start": "2030-01-01T00:00:00Z"}, {"end": "2026-01-01T00:00:00Z"}]
)
def test_a_root_counts_only_in_its_time(instance, period):
    with pytest.raises(Skipped, match="no trusted root"):
        require_chain(
            read_leaf(instance.leaf().pem), [], read(described(instance, **period)), NOW + 1
        )


@pytest.mark.parametrize(
    ("when", "holds"), [(NOW - 1, False), (NOW, True), (NOW + 9, True), (NOW + 10, False)]
)
def test_a_period_has_its_first_and_its_last_second(when, holds):
    assert Period(start=NOW, end=NOW + 9).holds(when) is holds
    assert Period(start=NOW).holds(when) is (when >= NOW)
    assert Period(end=NOW + 9).holds(when) is (when <= NOW + 9)


OUT_OF_TIME = [{"start": "2030-01-01T00:00:00Z"}, {"end": "2026-01-01T00:00:00Z"}]


@pytest.mark.parametrize("period", OUT_OF_TIME)
def test_a_transparency_log_counts_only_in_its_time(instance, period):
    bundle = signature(instance, b"{}").annotations[BUNDLE]
    assert read_entry(bundle, read(described(instance))).integrated == NOW + 1
    with pytest.raises(Skipped, match="log's signature of the entry does not hold"):
        read_entry(bundle, read(described(instance, **period)))


@pytest.mark.parametrize("period", OUT_OF_TIME)
def test_a_ct_log_counts_only_in_its_time(instance, period):
    certificate = read_leaf(instance.leaf().pem).certificate
    require_sct(certificate, instance.root, read(described(instance)))
    with pytest.raises(Skipped, match="no trusted CT log has signed"):
        require_sct(certificate, instance.root, read(described(instance, **period)))


@pytest.mark.parametrize("part", ["certificateAuthorities", "tlogs", "ctlogs"])
@pytest.mark.parametrize("value", [[], None, 7, [{}], [7], "x"])
def test_a_part_of_a_trusted_root_is_no_trust(instance, part, value):
    with pytest.raises(ConfigurationError, match=r"trusted_root\.json"):
        read({**described(instance), part: value})


@pytest.mark.parametrize(
    "raw", [b"", b"[]", b"{}", b"hello", b"[" * 100_000, b'{"mediaType": "x"}']
)
def test_what_is_no_trusted_root(raw):
    with pytest.raises(ConfigurationError, match=r"trusted_root\.json"):
        public_roots(raw, instance="x", source="here")


def test_an_intermediate_alone_is_no_root(instance):
    between = authority("between", new_key(), instance.root, instance.root_key)
    with pytest.raises(ConfigurationError, match="no self-signed certificate"):
        private_roots(instance="x", fulcio=pem_of(between).encode(), rekor=b"", ct=None)


def test_roots_and_intermediates_in_one_file(instance):
    key = new_key()
    between = authority("between", key, instance.root, instance.root_key)
    roots = private_roots(
        instance="x", fulcio=(pem_of(between) + pem_of(instance.root)).encode(),
        rekor=public_pem(instance.rekor_key) + public_pem(new_key()), ct=public_pem(instance.ct_key),
    )  # fmt: skip
    leaf = read_leaf(instance.leaf(by=(between, key)).pem)
    assert require_chain(leaf, [], roots, NOW + 1) == between
    assert len(roots.rekor) == 2


HALF = b"-----BEGIN %b-----\nMFkw\n"


@pytest.mark.parametrize("name", ["fulcio", "rekor", "ct"])
@pytest.mark.parametrize("more", ["half of another", "a key", "a certificate", "a private key"])
def test_a_file_of_which_a_part_would_not_count_is_no_trust(instance, name, more):
    files = {
        "fulcio": pem_of(instance.root).encode(),
        "rekor": public_pem(instance.rekor_key),
        "ct": public_pem(instance.ct_key),
    }
    kind = b"CERTIFICATE" if name == "fulcio" else b"PUBLIC KEY"
    added = {
        "half of another": HALF % kind,
        "a key": files["rekor"] if name == "fulcio" else HALF % b"EC PUBLIC KEY",
        "a certificate": HALF % b"TRUSTED CERTIFICATE" if name == "fulcio" else files["fulcio"],
        "a private key": HALF % b"EC PRIVATE KEY",
    }
    files[name] += added[more]
    with pytest.raises(ConfigurationError, match=r"nothing else|in PEM"):
        private_roots(instance="x", **files)


def test_words_between_the_blocks_of_a_file_are_for_people(instance):
    words = b"# The root of the test.\n"
    roots = private_roots(
        instance="x", fulcio=words + pem_of(instance.root).encode(),
        rekor=words + public_pem(instance.rekor_key) + words, ct=None,
    )  # fmt: skip
    assert len(roots.authorities) == len(roots.rekor) == 1


def test_two_instances_with_the_same_name_are_told_apart(instance):
    other = Instance()
    with warnings.catch_warnings(), pytest.raises(Skipped, match="no trusted root"):
        require_chain(read_leaf(other.leaf().pem), [], instance.roots(), NOW + 1)
