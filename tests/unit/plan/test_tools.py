"""Adapters: what they ask and how they read the answers."""

import hashlib
import json
from pathlib import Path

import pytest

from immutable_base.download import Checksum
from immutable_base.errors import CommandError, ImmutableBaseError, RemoteError, VerificationError
from immutable_base.plan.zfs_meta import parse_maximum
from immutable_base.process import Command, Result, run
from immutable_base.tools import gpg, gpgv, skopeo
from support.clock import in_zone
from support.rpmmd import make_signer


def gpgv_of_nothing(runner):
    gpgv.verify(runner, keyring=Path("k"), signature=Path("s"), data=Path("d"))


def resolve_of_nothing(runner):
    skopeo.resolve(runner, "registry.invalid/x:1", {})


CA = {"SSL_CERT_FILE": "/ca.pem"}


class Registry:
    """Answers `skopeo inspect` for one reference."""

    def __init__(self, raw: bytes, config: dict | None = None) -> None:
        self.raw, self.config, self.asked = raw, config or {}, []

    def __call__(self, command: Command) -> Result:
        assert command.env == CA
        self.asked.append(command.argv[-1])
        out = json.dumps(self.config).encode() if "--config" in command.argv else self.raw
        return Result(status=0, stdout=out, stderr_tail="", seconds=0)


def test_a_plain_manifest_has_the_digest_of_its_bytes():
    raw = b'{"layers": []}'
    registry = Registry(raw, {"created": "2026-11-20T00:00:00.123456789Z"})
    found = skopeo.resolve(registry, "host:5000/a/b:tag", CA)
    digest = "sha256:" + hashlib.sha256(raw).hexdigest()
    assert (found.digest, found.created) == (digest, 1795132800)
    assert registry.asked[1] == f"docker://host:5000/a/b@{digest}"


def test_an_index_gives_the_manifest_for_amd64():
    platforms = [("arm64", "linux"), ("amd64", "windows"), ("amd64", "linux")]
    entries = [
        {"digest": f"sha256:{n:064}", "platform": {"architecture": a, "os": o}}
        for n, (a, o) in enumerate(platforms)
    ]
    registry = Registry(
        json.dumps({"mediaType": skopeo.INDEX_TYPES[0], "manifests": entries}).encode()
    )
    assert skopeo.resolve(registry, "h/a", CA).digest == f"sha256:{2:064}"
    with pytest.raises(RemoteError, match="no image for linux/amd64"):
        skopeo.resolve(Registry(b'{"manifests": []}'), "h/a", CA)


def test_a_registry_that_is_down_is_a_remote_error_with_skopeos_words():
    def down(command):
        raise CommandError("exited", details="connection refused")

    with pytest.raises(RemoteError, match="connection refused"):
        skopeo.resolve(down, "h/a", CA)


@pytest.mark.parametrize(
    "raw",
    [b"<html>", b"[]", b'{"manifests": null}', b'{"manifests": ["x"]}', b'{"manifests": {"a": 1}}'],
)
def test_an_answer_that_is_no_image(raw):
    with pytest.raises(RemoteError):
        skopeo.resolve(Registry(raw), "h/a", CA)


def test_a_pinned_key_that_its_owner_revoked_is_refused(tmp_path):
    signer = make_signer(tmp_path)
    certificate = signer.home / "openpgp-revocs.d" / f"{signer.fingerprint}.rev"
    # gpg puts a colon before the armour, so that nobody revokes by accident.
    (tmp_path / "revoke").write_text(certificate.read_text().replace(":-----BEGIN", "-----BEGIN"))
    signer.gpg("--import", str(tmp_path / "revoke"))
    signer.public.write_text(signer.gpg("--armor", "--export", signer.fingerprint))
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    with pytest.raises(VerificationError, match="revoked"):
        gpg.pinned_keyring(run, signer.public, signer.fingerprint, home)


@pytest.mark.parametrize("call", [gpgv_of_nothing, resolve_of_nothing])
def test_a_program_that_took_too_long_is_said(call):
    def slow(command):
        raise CommandError("`x` did not end within 120 s")

    with pytest.raises(ImmutableBaseError, match="did not end within 120 s"):
        call(slow)


def test_gpgv_refuses_what_another_key_signed(signer, tmp_path):
    data = tmp_path / "data"
    data.write_text("x")
    signer.sign(data)
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    keyring = gpg.pinned_keyring(run, signer.public, signer.fingerprint, home)
    asked = {"keyring": keyring, "signature": Path(f"{data}.asc"), "data": data}
    assert gpgv.verify(run, **asked) == signer.fingerprint
    assert "BEGIN PGP PUBLIC KEY BLOCK" in gpg.armored(run, signer.fingerprint, home)
    data.write_text("y")
    with pytest.raises(VerificationError, match="BAD signature"):
        gpgv.verify(run, **asked)


def test_the_primary_fingerprint_counts_not_a_subkeys():
    colons = "pub:u:\nfpr:::::::::AAAA:\nuid:\nsub:\nfpr:::::::::BBBB:\n"
    assert gpg.primary_fingerprints(colons) == ("AAAA",)
    assert gpgv.primary_fingerprint("[GNUPG:] VALIDSIG BBBB 2026 1 0 4 0 22 10 00 AAAA\n") == "AAAA"
    assert gpgv.primary_fingerprint("[GNUPG:] GOODSIG BBBB x\n") is None


def test_broken_checksums_are_refused():
    with pytest.raises(VerificationError, match="sha1"):
        Checksum("sha1", "0" * 40)


def test_meta():
    assert parse_maximum("Name: zfs\nLinux-Maximum: 7.2\nLinux-Minimum: 4.18\n", "x") == "7.2"
    for text in ("", "Linux-Maximum: seven\n", "#Linux-Maximum: 7.2\n"):
        with pytest.raises(ImmutableBaseError):
            parse_maximum(text, "zfs-dkms")


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize(
    ("created", "expected"),
    [
        ("2026-11-20T00:00:00", 1795132800),
        ("2026-11-20T00:00:00Z", 1795132800),
        ("2026-11-20T00:00:00.5Z", 1795132800),
        ("2026-11-20T09:00:00+09:00", 1795132800),
        ("1970-01-01T00:00:00", 0),
        ("0001-01-01T00:00:00Z", 0),
        ("", 0),
    ],
)
def test_when_an_image_was_made_does_not_depend_on_the_zone_of_the_machine(zone, created, expected):
    with in_zone(zone):
        assert skopeo.seconds(created) == expected


@pytest.mark.parametrize("created", ["yesterday", "2026-13-01T00:00:00Z", "1795132800"])
def test_a_time_that_is_none_is_refused(created):
    with pytest.raises(RemoteError, match="which is no time"):
        skopeo.seconds(created)
