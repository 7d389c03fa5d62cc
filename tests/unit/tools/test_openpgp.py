"""gpg and gpgv: which key a file holds, and which key signed."""

from pathlib import Path

import pytest

from immutable_base.errors import CommandError, VerificationError
from immutable_base.process import Result, run
from immutable_base.tools import gpg, gpgv
from support.plan_world import signer
from support.rpmmd import make_signer
from support.trust import add_subkey, exported, primaries_in, revoke_subkey

__all__ = ["signer"]


@pytest.fixture
def home(tmp_path):
    folder = tmp_path / "home"
    folder.mkdir(mode=0o700)
    return folder


def test_a_pinned_key_that_its_owner_revoked_is_refused(tmp_path, home):
    signer = make_signer(tmp_path)
    certificate = signer.home / "openpgp-revocs.d" / f"{signer.fingerprint}.rev"
    # gpg puts a colon before the armour, so that nobody revokes by accident.
    (tmp_path / "revoke").write_text(certificate.read_text().replace(":-----BEGIN", "-----BEGIN"))
    signer.gpg("--import", str(tmp_path / "revoke"))
    signer.public.write_text(signer.gpg("--armor", "--export", signer.fingerprint))
    with pytest.raises(VerificationError, match="revoked"):
        gpg.pinned_keyring(run, signer.public, signer.fingerprint, home)


def test_a_program_that_took_too_long_is_named():
    def slow(command):
        raise CommandError("`x` did not end within 120 s")

    with pytest.raises(VerificationError, match="did not end within 120 s"):
        gpgv.verify(slow, keyring=Path("k"), signature=Path("s"), data=Path("d"))


def test_gpgv_refuses_what_another_key_signed(signer, tmp_path, home):
    data = tmp_path / "data"
    data.write_text("x")
    signer.sign(data)
    keyring = gpg.pinned_keyring(run, signer.public, signer.fingerprint, home)
    asked = {"keyring": keyring, "signature": Path(f"{data}.asc"), "data": data}
    assert gpgv.verify(run, **asked) == signer.fingerprint
    assert "BEGIN PGP PUBLIC KEY BLOCK" in gpg.armored(run, signer.fingerprint, home)
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

    keyring = gpg.pinned_keyring(run, ours.public, ours.fingerprint, home)
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
    assert gpg.primary_fingerprints(colons) == ("AAAA",)
    assert gpgv.primary_fingerprint("[GNUPG:] VALIDSIG BBBB 2026 1 0 4 0 22 10 00 AAAA\n") == "AAAA"
    assert gpgv.primary_fingerprint("[GNUPG:] GOODSIG BBBB x\n") is None


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x85", "\u2028", "\r"])
def test_an_owners_name_cannot_forge_a_line_of_gpgv(end):
    status = f"[GNUPG:] GOODSIG BBBB x{end}[GNUPG:] VALIDSIG A 2026 1 0 4 0 22 10 00 FORGED\n"
    assert gpgv.primary_fingerprint(status) is None


@pytest.mark.parametrize(
    "colons",
    ["", "pub", "pub\nfpr", "pub:\nfpr:::AAAA:\n", "fpr:::::::::AAAA:\n", "\n:\n::\n"],
)
def test_lines_that_are_too_short_hold_no_key(colons):
    assert gpg.primary_fingerprints(colons) == ()
    assert gpg.revoked_fingerprints(colons) == ()


@pytest.mark.parametrize("end", ["\x0b", "\x0c", "\x85", "\u2028"])
def test_an_owners_name_cannot_forge_a_key(end):
    colons = f"pub:u:\nuid:u::::::::x{end}fpr:::::::::FORGED:\nfpr:::::::::AAAA:\n"
    assert gpg.primary_fingerprints(colons) == ("AAAA",)


def test_a_listing_in_another_encoding_is_read(tmp_path, home):
    listing = b"pub:u:\nfpr:::::::::" + b"A" * 40 + b":\nuid:u::::::::Andr\xe9:\n"

    def latin(command):
        stdout = listing if "--list-keys" in command.argv else b"exported"
        return Result(status=0, stdout=stdout, stderr_tail="")

    assert gpg.pinned_keyring(latin, tmp_path / "key", "A" * 40, home).read_bytes() == b"exported"


def test_the_keyring_holds_the_pinned_key_alone(signers, tmp_path, home):
    (tmp_path / "both").write_bytes(exported(*signers.values()))
    pinned = signers["ours"].fingerprint
    keyring = gpg.pinned_keyring(run, tmp_path / "both", pinned, home)
    assert primaries_in(keyring, tmp_path / "list") == {pinned}
    (tmp_path / "armored").write_text(gpg.armored(run, pinned, home))
    assert primaries_in(tmp_path / "armored", tmp_path / "list") == {pinned}


def test_what_rpm_gets_has_no_revoked_subkey(tmp_path, home):
    owner = make_signer(tmp_path / "owner")
    first = add_subkey(owner)
    revoke_subkey(owner)
    second = add_subkey(owner)
    gpg.pinned_keyring(run, owner.public, owner.fingerprint, home)
    (tmp_path / "armored").write_text(gpg.armored(run, owner.fingerprint, home))
    listed = owner.gpg("--with-colons", "--show-keys", str(tmp_path / "armored"))
    assert owner.fingerprint in listed
    assert second in listed
    assert first not in listed
