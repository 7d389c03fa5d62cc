"""Pinned keys: whatever else lies beside them, only what was pinned signs anything."""

import pytest

from immutable_base.errors import RemoteError, VerificationError
from immutable_base.repository.keys import PinnedKey
from support.rpmmd import make_signer
from support.trust import (
    add_subkey,
    detached,
    document,
    exported,
    fetch_armored,
    fetch_pinned,
    primaries_in,
    revoke_subkey,
    verify_detached,
)


@pytest.fixture
def published(site, signers, tmp_path):
    """A key file with two keys, the pinned one last."""
    site.serve("/ours.asc", exported(signers["foreign"], signers["ours"]))
    site.folder = tmp_path
    site.settings = document(site.url, {"ours": signers["ours"]})
    return site


def fetch(published, name="ours"):
    return fetch_pinned(published.folder, published.settings, name)


def verify(published, key, data, signature):
    verify_detached(
        published.folder, published.settings, key, data=data.read_bytes(), signature=signature
    )


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "data"
    path.write_text("content")
    return path


def test_of_a_file_with_two_keys_only_the_pinned_one_is_taken(published, signers, tmp_path):
    keyring = fetch(published).keyring
    armored = fetch_armored(published.folder, published.settings, "ours")
    for name, content in (("keyring", keyring), ("armored", armored.encode())):
        (tmp_path / name).write_bytes(content)
        found = primaries_in(tmp_path / name, tmp_path / "home")
        assert found == {signers["ours"].fingerprint}, name


def test_a_signature_by_the_pinned_key_is_good(published, signers, data):
    verify(published, fetch(published), data, detached(signers["ours"], data))


def test_a_signature_by_the_other_key_of_the_file_is_refused(published, signers, data):
    with pytest.raises(VerificationError):
        verify(published, fetch(published), data, detached(signers["foreign"], data))


def test_the_signer_is_compared_with_the_pin_whatever_the_keyring_holds(published, signers, data):
    key = PinnedKey(
        name="ours",
        fingerprint=signers["ours"].fingerprint,
        keyring=fetch_both(signers, data),
    )
    verify(published, key, data, detached(signers["ours"], data))
    with pytest.raises(VerificationError, match="not by the pinned key"):
        verify(published, key, data, detached(signers["foreign"], data))


def fetch_both(signers, data):
    """Return one binary keyring with both keys, as gpgv reads it."""
    binary = []
    for name, signer in signers.items():
        path = data.with_name(f"{name}.gpg")
        signer.gpg("--yes", "--output", str(path), "--export", signer.fingerprint)
        binary.append(path.read_bytes())
    return b"".join(binary)


def test_two_signatures_of_which_one_is_foreign_are_refused(published, signers, data):
    both = detached(signers["ours"], data), detached(signers["foreign"], data)
    for order in (both, both[::-1]):
        with pytest.raises(VerificationError):
            verify(published, fetch(published), data, dearmored(order, data, signers["ours"]))


def dearmored(signatures, data, signer):
    parts = []
    for signature in signatures:
        data.with_name("one.asc").write_bytes(signature)
        out = data.with_name("one.sig")
        signer.gpg("--yes", "--output", str(out), "--dearmor", str(data.with_name("one.asc")))
        parts.append(out.read_bytes())
    return b"".join(parts)


def test_content_that_was_changed_after_it_was_signed_is_refused(published, signers, data):
    signature = detached(signers["ours"], data)
    data.write_text("contents")
    with pytest.raises(VerificationError, match="BAD signature"):
        verify(published, fetch(published), data, signature)


@pytest.mark.parametrize("signature", [b"", b"junk", b"-----BEGIN PGP SIGNATURE-----\n"])
def test_what_is_no_signature_is_refused(published, data, signature):
    with pytest.raises(VerificationError, match="the signature is not good"):
        verify(published, fetch(published), data, signature)


def test_a_signature_of_a_subkey_is_good_until_its_owner_revokes_it(published, data, tmp_path):
    signer = make_signer(tmp_path / "with-subkey")
    subkey = add_subkey(signer)
    signature = detached(signer, data, subkey)
    published.settings["keys"]["ours"]["fingerprint"] = signer.fingerprint
    published.serve("/ours.asc", signer.public.read_bytes())
    verify(published, fetch(published), data, signature)
    revoke_subkey(signer)
    published.serve("/ours.asc", signer.public.read_bytes())
    with pytest.raises(VerificationError, match="revoked"):
        verify(published, fetch(published), data, signature)
    verify(published, fetch(published), data, detached(signer, data))


def test_a_pin_of_a_subkey_pins_nothing(published, tmp_path):
    signer = make_signer(tmp_path / "with-subkey")
    published.settings["keys"]["ours"]["fingerprint"] = add_subkey(signer)
    published.serve("/ours.asc", signer.public.read_bytes())
    with pytest.raises(VerificationError, match=f"the file holds {signer.fingerprint}"):
        fetch(published)


def test_a_key_file_without_the_pinned_key_is_refused_with_both_fingerprints(published, signers):
    published.serve("/ours.asc", exported(signers["foreign"]))
    with pytest.raises(VerificationError) as caught:
        fetch(published)
    for signer in signers.values():
        assert signer.fingerprint in caught.value.message


@pytest.mark.parametrize("content", [b"", b"<html>", b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n"])
def test_a_file_that_is_no_key_is_refused_in_words(published, content):
    published.serve("/ours.asc", content)
    with pytest.raises(VerificationError, match="the key 'ours' is not the pinned one"):
        fetch(published)


def test_a_key_that_is_not_there_is_named(published):
    del published.replies["/ours.asc"]
    with pytest.raises(RemoteError, match="the key 'ours' cannot be fetched"):
        fetch(published)


def test_a_key_file_beside_the_configuration_is_read(published, signers):
    (published.folder / "beside.asc").write_bytes(signers["ours"].public.read_bytes())
    published.settings["keys"]["ours"]["url"] = "beside.asc"
    assert fetch(published).fingerprint == signers["ours"].fingerprint
    assert published.requests == []
