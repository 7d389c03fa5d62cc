"""Certificates that no Fulcio writes, and moments at the very ends of their time."""

import base64

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from immutable_base.verification.certificate import read_leaf, require_chain
from immutable_base.verification.sct import require_sct
from immutable_base.verification.skipped import Skipped
from support.forge import IDENTITY, NOW, authority, new_key, usage

VERSION_3 = bytes.fromhex("a003020102")
URI, MAIL = b"\x86", b"\x81"
"""Kinds of names, as they are encoded; source: RFC 5280, 4.2.1.6."""


def der_of(certificate):
    return certificate.public_bytes(Encoding.DER)


def pem(der):
    """Return the text of a certificate that nobody has to be able to read."""
    lines = base64.encodebytes(der).decode().replace("\n", "")
    parts = [lines[start : start + 64] for start in range(0, len(lines), 64)]
    return "\n".join(["-----BEGIN CERTIFICATE-----", *parts, "-----END CERTIFICATE-----", ""])


def sequence(content):
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def changed(certificate, old, new):
    """Return the text of a certificate with some of its bytes changed, and nothing signed again."""
    whole, signed = der_of(certificate), certificate.tbs_certificate_bytes
    assert signed.count(old) == 1
    rest = whole[4 + len(signed) :]
    return pem(sequence(sequence(signed[4:].replace(old, new)) + rest))


def test_a_text_of_ours_that_is_not_changed_is_read(instance):
    leaf = instance.leaf()
    assert read_leaf(changed(leaf.certificate, VERSION_3, VERSION_3)).pem == leaf.pem


def test_a_certificate_of_the_first_version_has_no_extensions(instance):
    """RFC 5280, 4.1.2.1; other programs do not look at them."""
    with pytest.raises(Skipped, match="version"):
        read_leaf(changed(instance.leaf().certificate, VERSION_3, b""))


def test_an_address_is_a_uri_and_a_mail_address_is_none(instance):
    name = bytes([len(IDENTITY)]) + IDENTITY.encode()
    with pytest.raises(Skipped, match="neither a URI nor an e-mail address"):
        read_leaf(changed(instance.leaf().certificate, URI + name, MAIL + name))
    mail = instance.leaf(names=[x509.RFC822Name("me@example.org")])
    assert read_leaf(mail.pem).identity == "me@example.org"
    name = b"\x0eme@example.org"
    with pytest.raises(Skipped, match="neither a URI nor an e-mail address"):
        read_leaf(changed(mail.certificate, MAIL + name, URI + name))


# ------------------------------------------------------------------ who may issue


def through(instance, *, when=NOW, **changes):
    """Return whether a certificate by an intermediate authority holds."""
    key = new_key()
    between = authority("between", key, instance.root, instance.root_key, **changes)
    leaf = read_leaf(instance.leaf(by=(between, key)).pem)
    try:
        return require_chain(leaf, [between], instance.roots(), when) == between
    except Skipped:
        return False


def test_an_authority_right_above_the_signer_may_have_none_below_it(instance):
    assert through(instance)
    assert through(instance, path_length=0)


def test_constraints_of_names_are_not_understood_whether_they_are_critical_or_not(instance):
    constraints = x509.NameConstraints(None, [x509.UniformResourceIdentifier("gitlab.com")])
    assert not through(instance, extra=[constraints])
    assert not through(instance, extra=[constraints], extra_critical=False)


def test_an_authority_may_sign_certificates_by_its_own_words(instance):
    assert not through(instance, use=usage(crl_sign=True))
    assert not through(instance, ca=False, use=usage(key_cert_sign=True))


@pytest.mark.parametrize(
    "use", [usage(digital_signature=True, key_cert_sign=True), usage(key_cert_sign=True)]
)
def test_who_signs_images_signs_no_certificates(instance, use):
    with pytest.raises(Skipped, match="not for signatures"):
        read_leaf(instance.leaf(use=use).pem)


def test_who_signs_images_is_no_authority(instance):
    with pytest.raises(Skipped, match="an authority's"):
        read_leaf(instance.leaf(ca=True).pem)


# ------------------------------------------------------------------ when


@pytest.mark.parametrize(
    ("when", "holds"), [(NOW - 1, False), (NOW, True), (NOW + 600, True), (NOW + 601, False)]
)
def test_the_first_and_the_last_second_of_a_certificate_belong_to_it(instance, when, holds):
    """RFC 5280, 4.1.2.5: both ends included."""
    leaf = read_leaf(instance.leaf(lifetime=600).pem)
    if holds:
        assert require_chain(leaf, [], instance.roots(), when) == instance.root
    else:
        with pytest.raises(Skipped, match="no trusted root"):
            require_chain(leaf, [], instance.roots(), when)


# ------------------------------------------------------------------ what a CT log has signed


def stamped(instance, *changes):
    """Return whether a certificate counts as seen that has SCTs with these changes."""

    def stamps(bare):
        given = bare, instance.root_key, instance.ct_key, NOW
        return [instance.timestamp(*given, **change) for change in changes]

    try:
        certificate = read_leaf(instance.leaf(stamps=stamps).pem).certificate
        require_sct(certificate, instance.root, instance.roots())
    except Skipped:
        return False
    return True


EXTENSIONS = b"\x00\x00\x01x"


def test_one_timestamp_that_holds_is_enough_wherever_it_stands(instance):
    broken = {"signed": EXTENSIONS}
    assert stamped(instance, {}, broken)
    assert stamped(instance, broken, {})
    assert not stamped(instance, broken, broken)


def test_extensions_of_a_timestamp_are_signed_with_it(instance):
    assert stamped(instance, {"extensions": EXTENSIONS})
    assert not stamped(instance, {"extensions": EXTENSIONS, "signed": b""})
    assert not stamped(instance, {"extensions": b"", "signed": EXTENSIONS})


@pytest.mark.parametrize("algorithms", [b"\x06\x03", b"\x02\x03", b"\x04\x01", b"\x04\x00"])
def test_a_timestamp_names_the_algorithms_that_it_has(instance, algorithms):
    """SHA-512, SHA-1, RSA, none: other programs would verify by those."""
    assert not stamped(instance, {"algorithms": algorithms})
