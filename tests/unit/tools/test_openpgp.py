"""gpg and gpgv: which key a file holds, and which key signed."""

import time
from pathlib import Path

import pytest

from immutable_base.errors import CommandError, VerificationError
from immutable_base.process import Result, run
from immutable_base.tools import gpg, gpgv
from immutable_base.tools.openpgp import certificates
from support.key_files import armour, binary, make_old_signer, packet, version_6_key
from support.plan_world import signer
from support.rpmmd import make_signer
from support.trust import add_subkey, exported, primaries_in, revoke_subkey

__all__ = ["signer"]


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def keyring_of(signer, home):
    """Return a keyring with a signer's key, as gpgv reads it."""
    (key,) = gpg.read_keys(run, signer.public.read_bytes(), home).keys
    path = home / "keyring"
    path.write_bytes(gpg.export(run, key, home))
    return path


def test_a_program_that_took_too_long_is_named():
    def slow(command):
        raise CommandError("`x` did not end within 120 s")

    with pytest.raises(VerificationError, match="did not end within 120 s"):
        gpgv.verify(slow, keyring=Path("k"), signature=Path("s"), data=Path("d"))


def test_gpgv_refuses_what_another_key_signed(signer, tmp_path, home):
    data = tmp_path / "data"
    data.write_text("x")
    signer.sign(data)
    keyring = keyring_of(signer, home)
    asked = {"keyring": keyring, "signature": Path(f"{data}.asc"), "data": data}
    assert gpgv.verify(run, **asked) == signer.fingerprint
    data.write_text("y")
    with pytest.raises(VerificationError, match="BAD signature"):
        gpgv.verify(run, **asked)


def test_of_a_document_that_carries_its_signature_only_what_was_signed_is_read(
    signers, tmp_path, home
):
    ours, other = signers["ours"], signers["foreign"]
    (tmp_path / "plain").write_text("signed\n")
    document, content = tmp_path / "document", tmp_path / "content"

    def clearsign(signer):
        document.unlink(missing_ok=True)
        signer.gpg("--output", str(document), "--clearsign", str(tmp_path / "plain"))

    keyring = keyring_of(ours, home)
    asked = {"keyring": keyring, "document": document, "content": content}
    clearsign(ours)
    document.write_text(f"before\n{document.read_text()}after\n")
    assert gpgv.verify_inline(run, **asked) == ours.fingerprint
    assert content.read_text() == "signed\n"
    document.write_text(document.read_text().replace("signed\n", "changed\n"))
    with pytest.raises(VerificationError, match="BAD signature"):
        gpgv.verify_inline(run, **asked)
    assert not content.exists(), "neither the changed text nor that of an earlier document"
    clearsign(other)
    with pytest.raises(VerificationError, match="No public key"):
        gpgv.verify_inline(run, **asked)
    assert not content.exists()
    document.write_text("not signed at all\n")
    with pytest.raises(VerificationError):
        gpgv.verify_inline(run, **asked)
    assert not content.exists()


def test_the_primary_fingerprint_counts_not_a_subkeys():
    colons = "pub:u:\nfpr:::::::::AAAA:\nuid:\nsub:\nfpr:::::::::BBBB:\n"
    assert primaries(colons) == ["AAAA"]
    assert gpgv.primary_fingerprint("[GNUPG:] VALIDSIG BBBB 2026 1 0 4 0 22 10 00 AAAA\n") == "AAAA"
    assert gpgv.primary_fingerprint("[GNUPG:] GOODSIG BBBB x\n") is None


def primaries(colons):
    return [key.fingerprint for key in gpg.listed_keys(colons)]


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x85", "\u2028", "\r"])
def test_an_owners_name_cannot_forge_a_line_of_gpgv(end):
    status = f"[GNUPG:] GOODSIG BBBB x{end}[GNUPG:] VALIDSIG A 2026 1 0 4 0 22 10 00 FORGED\n"
    assert gpgv.primary_fingerprint(status) is None


@pytest.mark.parametrize(
    "colons",
    ["", "pub", "pub\nfpr", "pub:\nfpr:::AAAA:\n", "fpr:::::::::AAAA:\n", "\n:\n::\n",
     "pub:u:\nsub:u:\nfpr:::::::::AAAA:\n", "pub:u:\nuid:\nfpr:::::::::AAAA:\n"],
)  # fmt: skip
def test_lines_that_do_not_hold_a_primary_key_hold_none(colons):
    assert gpg.listed_keys(colons) == ()


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x85", "\u2028"])
def test_an_owners_name_cannot_forge_a_key(end):
    colons = f"pub:u:\nfpr:::::::::AAAA:\nuid:u::::::::x{end}fpr:::::::::FORGED:\n"
    assert primaries(colons) == ["AAAA"]


def test_a_listing_in_another_encoding_is_read(home, signers):
    listing = b"pub:u:\nfpr:::::::::" + b"A" * 40 + b":\nuid:u::::::::Andr\xe9:\n"

    def latin(command):
        stdout = listing if "--list-keys" in command.argv else b""
        return Result(status=0, stdout=stdout, stderr_tail="")

    (key,) = gpg.read_keys(latin, signers["ours"].public.read_bytes(), home).keys
    assert (key.fingerprint, key.user_ids) == ("A" * 40, ("Andr\ufffd",))


def test_what_gpg_lists_of_a_key_is_told(tmp_path, home):
    old = make_old_signer(tmp_path / "old", expires="20y")
    (key,) = gpg.read_keys(run, old.public.read_bytes(), home).keys
    assert key.user_ids == ("Old <old@example.invalid>",)
    assert (key.created, key.expires) == (1_577_836_800, 1_577_836_800 + 20 * 365 * 86_400)
    assert key.validity not in {gpg.REVOKED, gpg.EXPIRED}


def test_a_keyring_holds_one_key_of_many_alone(signers, tmp_path, home):
    file = gpg.read_keys(run, exported(*signers.values()), home)
    assert file.certificates == 2
    (ours,) = (key for key in file.keys if key.fingerprint == signers["ours"].fingerprint)
    for name, content in (
        ("keyring", gpg.export(run, ours, home)),
        ("armored", gpg.armored(run, ours, home).encode()),
    ):
        (tmp_path / name).write_bytes(content)
        assert primaries_in(tmp_path / name, tmp_path / "list") == {ours.fingerprint}


def test_what_rpm_gets_has_no_revoked_subkey(tmp_path, home):
    owner = make_signer(tmp_path / "owner")
    first = add_subkey(owner)
    revoke_subkey(owner)
    second = add_subkey(owner)
    (key,) = gpg.read_keys(run, owner.public.read_bytes(), home).keys
    (tmp_path / "armored").write_text(gpg.armored(run, key, home))
    listed = owner.gpg("--with-colons", "--show-keys", str(tmp_path / "armored"))
    assert owner.fingerprint in listed
    assert second in listed
    assert first not in listed


# ------------------------------------------------------------------ files as they are published


@pytest.fixture
def both(signers):
    return {name: binary(signer) for name, signer in signers.items()}


@pytest.mark.parametrize("place", [0, 1, 2])
@pytest.mark.parametrize("form", ["one armour", "an armour for each", "binary"])
def test_a_key_that_gpg_cannot_read_hides_none_beside_it(signers, both, home, form, place):
    """gpg 2.2 stops at a key of version 6, ends with status 2, and reads nothing that follows."""
    keys = [both["ours"], both["foreign"]]
    keys.insert(place, version_6_key())
    content = {
        "one armour": armour(b"".join(keys), "Version: x", "Comment: y"),
        "an armour for each": b"a comment\n" + b"\n".join(map(armour, keys)),
        "binary": b"".join(keys),
    }[form]
    file = gpg.read_keys(run, content, home)
    found = {key.fingerprint for key in file.keys}
    assert found == {signer.fingerprint for signer in signers.values()}
    assert file.certificates == 3
    assert "unknown version 6" in file.said


def test_a_file_with_windows_line_ends_is_read(signers, both, home):
    content = armour(both["ours"], "Version: x").replace(b"\n", b"\r\n")
    assert len(gpg.read_keys(run, content, home).keys) == 1


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"\0" * 50, b"\xff" * 50, b"\x99", b"\x99\xff\xff", b"\xc6", b"\xc6\xe0" + bytes(40),
     b"\x9b" + bytes(40), armour(b""), armour(b"\xc6\xff\xff\xff\xff\xff"),
     b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n!!!!\n-----END PGP PUBLIC KEY BLOCK-----\n",
     packet(2, bytes(20)), packet(13, b"a name")],
)  # fmt: skip
def test_what_is_no_key_holds_none_and_breaks_nothing(home, content):
    file = gpg.read_keys(run, content, home)
    assert (file.keys, file.certificates) == ((), 0)


def test_a_file_that_was_cut_off_has_the_keys_before_the_cut(both):
    whole = both["ours"] + both["foreign"]
    assert certificates(whole) == (both["ours"], both["foreign"])
    assert certificates(whole[: len(both["ours"]) + 3]) == (both["ours"],)


def test_a_secret_key_is_left_where_it_is(signers, both):
    secret = packet(5, bytes(80)) + packet(13, b"a name")
    assert certificates(both["ours"] + secret + both["foreign"]) == tuple(both.values())


@pytest.mark.parametrize("size", [100, 191, 192, 8383, 8384, 70_000])
def test_lengths_of_every_form_are_read(size, both):
    padded = packet(6, bytes(size))
    assert certificates(padded + both["ours"]) == (padded, both["ours"])


def test_a_file_of_keys_without_end_is_refused(home):
    with pytest.raises(VerificationError, match="more than 200 keys"):
        gpg.read_keys(run, packet(6, b"x") * 201, home)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(
            b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n" * 28_000, id="begins without an end"
        ),
        pytest.param(packet(6, b"\4") + packet(13, b"") * (1 << 20), id="a million packets"),
    ],
)
def test_a_file_made_to_take_long_is_read_in_seconds(content):
    """Both took hours: the time grew with the square of what a server sends."""
    started = time.process_time()
    assert len(certificates(content)) <= 1
    assert time.process_time() - started < 20


def test_every_block_of_armour_is_read_and_one_without_an_end_is_not(signers):
    blocks = [armour(binary(signer)) for signer in signers.values()]
    begun = blocks[0].split(b"-----END")[0]
    assert certificates(b"words\n".join(blocks) + begun) == tuple(map(binary, signers.values()))


def test_a_page_in_place_of_a_signature_is_told_as_one(signer, tmp_path, home):
    data, page = tmp_path / "data", tmp_path / "page"
    data.write_text("x")
    page.write_text("<!DOCTYPE html><html>")
    with pytest.raises(VerificationError, match="the file holds no signature"):
        gpgv.verify(run, keyring=keyring_of(signer, home), signature=page, data=data)
