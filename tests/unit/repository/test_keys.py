"""Pinned keys: whatever else lies beside them, only what was pinned signs anything."""

import hashlib
import logging

import pytest

from immutable_base.config.key import Key
from immutable_base.errors import RemoteError, VerificationError
from immutable_base.process import run
from immutable_base.repository.keys import PinnedKey, judge_planned
from immutable_base.tools import rpmkeys
from support.key_files import armour, binary, make_old_signer, revoke, version_6_key
from support.rpmmd import make_signer
from support.trust import (
    add_subkey,
    detached,
    document,
    exported,
    fetch_pinned,
    planned_keys,
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
    key = fetch(published)
    for name, content in (("keyring", key.keyring), ("armored", key.armored.encode())):
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
        armored="",
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
    with pytest.raises(VerificationError, match=r"signature is not good|holds no signature"):
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


# ------------------------------------------------------------------ keys as they are published


def pin(published, signer, content=None, **changes):
    """Pin a signer's key alone, and serve it or other content."""
    place = f"{published.url}/ours.asc"
    published.serve("/ours.asc", signer.public.read_bytes() if content is None else content)
    table = {"places": [place], "fingerprint": signer.fingerprint, **changes}
    published.settings["keys"]["ours"] = table


def test_a_revoked_key_is_refused(published, tmp_path):
    signer = make_signer(tmp_path / "revoked")
    pin(published, signer)
    assert fetch(published).fingerprint == signer.fingerprint
    revoke(signer)
    pin(published, signer)
    with pytest.raises(VerificationError, match=f"{signer.fingerprint} was revoked by its owner"):
        fetch(published)


def test_an_expired_key_is_refused(published, tmp_path):
    signer = make_old_signer(tmp_path / "old", expires="1y")
    pin(published, signer)
    with pytest.raises(VerificationError, match=f"{signer.fingerprint} has expired"):
        fetch(published)


def test_an_expired_subkey_is_no_reason_to_refuse_its_key(published, tmp_path, data):
    """NVIDIA's key of the container toolkit has one."""
    signer = make_old_signer(tmp_path / "old", subkey="1y")
    pin(published, signer)
    key = fetch(published)
    verify(published, key, data, detached(signer, data, signer.fingerprint))
    rpmkeys.unsigned(run, key.armored, (), tmp_path)


def test_a_pinned_key_beside_a_post_quantum_one_is_taken(published, signers, data):
    """As in Red Hat's key file; gpg ends with status 2 on it."""
    content = armour(version_6_key() + binary(signers["ours"]) + version_6_key(100))
    pin(published, signers["ours"], content)
    verify(published, fetch(published), data, detached(signers["ours"], data))


def test_a_file_of_which_gpg_can_read_nothing_is_refused_in_words(published, signers):
    """As CentOS' post-quantum file is."""
    pin(published, signers["ours"], armour(version_6_key()))
    with pytest.raises(VerificationError, match="gpg can read none of the 1 key") as caught:
        fetch(published)
    assert "version 6" in (caught.value.hint or "")
    assert "unknown version 6" in (caught.value.details or "")


def test_keys_that_cannot_be_read_are_counted_where_the_pinned_one_is_not(published, signers):
    content = armour(binary(signers["foreign"]) + version_6_key())
    pin(published, signers["ours"], content)
    with pytest.raises(VerificationError, match="and 1 that gpg cannot read"):
        fetch(published)


# ------------------------------------------------------------------ pins


def file_digest(content):
    return hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("pins_both", [True, False])
def test_a_key_file_is_pinned_by_its_sum(published, signers, pins_both):
    content = exported(signers["ours"])
    fingerprint = signers["ours"].fingerprint if pins_both else None
    pin(published, signers["ours"], sha256=file_digest(content), fingerprint=fingerprint)
    assert fetch(published).fingerprint == signers["ours"].fingerprint
    published.serve("/ours.asc", content + b"\n")
    with pytest.raises(VerificationError, match=f"pins the file {file_digest(content)}"):
        fetch(published)


def test_of_two_pins_both_must_fit(published, signers):
    content = exported(signers["foreign"])
    pin(published, signers["ours"], content, sha256=file_digest(content))
    with pytest.raises(VerificationError, match="the file holds"):
        fetch(published)


def test_the_sum_of_a_file_with_several_keys_does_not_say_which_of_them(published, signers):
    content = exported(*signers.values())
    pin(published, signers["ours"], content, sha256=file_digest(content), fingerprint=None)
    with pytest.raises(VerificationError, match="holds several keys"):
        fetch(published)
    pin(published, signers["ours"], content, sha256=file_digest(content))
    assert fetch(published).fingerprint == signers["ours"].fingerprint


def test_the_sum_of_a_file_with_a_post_quantum_key_says_which_one_is_used(published, signers):
    content = armour(version_6_key() + binary(signers["ours"]))
    pin(published, signers["ours"], content, sha256=file_digest(content), fingerprint=None)
    assert fetch(published).fingerprint == signers["ours"].fingerprint


def test_a_key_without_a_pin_is_not_even_asked_for(published, signers):
    pin(published, signers["ours"], fingerprint=None)
    with pytest.raises(VerificationError) as caught:
        fetch(published)
    assert caught.value.message == (
        "the key `ours` is not pinned; `immutable-base keys check ours` shows how"
    )
    assert published.requests == []


# ------------------------------------------------------------------ places


def places(published, *paths):
    found = [f"{published.url}{path}" if path.startswith("/") else path for path in paths]
    published.settings["keys"]["ours"]["places"] = found
    return found


def test_a_key_file_beside_the_configuration_is_read(published, signers):
    (published.folder / "beside.asc").write_bytes(signers["ours"].public.read_bytes())
    places(published, "beside.asc")
    assert fetch(published).fingerprint == signers["ours"].fingerprint
    assert published.requests == []


def test_the_first_place_that_has_the_key_is_the_last_that_is_asked(published):
    places(published, "/ours.asc", "/never.asc")
    fetch(published)
    assert published.requests == ["/ours.asc"]


@pytest.mark.parametrize("first", ["gone", "down", "another key", "a login page", "no file"])
def test_a_place_that_has_not_the_key_is_told_and_the_next_is_asked(
    published, signers, caplog, first
):
    published.serve("/foreign.asc", exported(signers["foreign"]))
    published.serve("/login", b"<html>")
    place = {
        "gone": "/gone.asc", "down": "http://127.0.0.1:9/key.asc", "another key": "/foreign.asc",
        "a login page": "/login", "no file": "not-here.asc",
    }[first]  # fmt: skip
    wrong, _ = places(published, place, "/ours.asc")
    assert fetch(published).fingerprint == signers["ours"].fingerprint
    (told,) = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert told.getMessage().startswith(f"{wrong}: the key 'ours' ")
    assert published.requests[-1:] == ["/ours.asc"]


def test_a_place_cannot_choose_the_key(published, signers):
    """However many places have it: only the pin decides."""
    published.serve("/foreign.asc", exported(signers["foreign"]))
    published.serve("/again.asc", exported(signers["foreign"]))
    found = places(published, "/foreign.asc", "/again.asc", "/gone.asc")
    with pytest.raises(VerificationError) as caught:
        fetch(published)
    assert caught.value.message == "the key 'ours': none of its 3 places has the pinned one"
    for place in found:
        assert f"{place}: the key 'ours'" in caught.value.details
    assert signers["foreign"].fingerprint in caught.value.details
    assert "the server answered 404" in caught.value.details


def test_places_of_which_none_answers_are_all_named_with_what_each_said(published):
    found = places(published, "/gone.asc", "http://127.0.0.1:9/key.asc", "not-here.asc")
    with pytest.raises(RemoteError) as caught:
        fetch(published)
    assert caught.value.message == "the key 'ours': none of its 3 places can be reached"
    said = dict(zip(found, caught.value.details.splitlines(), strict=True))
    assert all(line.startswith(f"{place}: ") for place, line in said.items())
    assert [words in line for words, line in zip(
        ("the server answered 404", "Connection refused", "No such file"), said.values(), strict=True
    )] == [True] * 3  # fmt: skip


# ------------------------------------------------------------------ from plan to build


def planned(published, **changes):
    (key,) = planned_keys(published.folder, published.settings)
    return key.model_copy(update=changes)


def judge_again(published, key):
    pinned = Key.model_validate(published.settings["keys"]["ours"])
    return judge_planned(run, pinned, key)


def test_a_build_takes_the_bytes_that_the_plan_judged_and_asks_no_server(published, signers):
    key = planned(published)
    published.replies.clear()
    asked = len(published.requests)
    assert judge_again(published, key).fingerprint == signers["ours"].fingerprint
    assert judge_again(published, key).armored.strip() == key.armored
    assert len(published.requests) == asked


def test_a_plan_with_another_key_than_the_configuration_pins_is_refused(published, signers):
    key = planned(published)
    published.settings["keys"]["ours"]["fingerprint"] = signers["foreign"].fingerprint
    with pytest.raises(VerificationError, match="is not the one that the configuration pins"):
        judge_again(published, key)


@pytest.mark.parametrize("pins", [{"fingerprint": None}, {"sha256": "0" * 64}])
def test_a_pin_that_was_changed_after_the_plan_was_made_is_refused(published, pins):
    key = planned(published)
    published.settings["keys"]["ours"] |= pins
    with pytest.raises(VerificationError, match="is not the one that the configuration pins"):
        judge_again(published, key)


def test_a_plan_whose_key_is_not_the_one_that_it_names_is_refused(published, signers):
    key = planned(published, armored=exported(signers["foreign"]).decode())
    with pytest.raises(VerificationError, match="the file holds"):
        judge_again(published, key)
    key = planned(published, armored=exported(*signers.values()).decode())
    assert signers["foreign"].fingerprint not in judge_again(published, key).armored
