"""What a host says of Secure Boot, and of the certificates that its image carries."""

import json

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization

from immutable_base.cli import main
from immutable_base.process import Result
from immutable_base.secure_boot import (
    VARIABLE,
    Enrolment,
    enrolment_by_keys,
    enrolment_by_mokutil,
    examine_secure_boot,
)
from support.module_keys import certificate

NEXT = "module-signing-next.der"
IDENTIFIER = "6ccece7e4c6c0d1f6149f3dd27dfcc5cbb419ea1"
KEYS = f"""\
0b3a1f6e I------     1 perm 1f0b0000     0     0 keyring   .machine: 1
3d4bc6a4 I------     1 perm 1f010000     0     0 asymmetri Example modules: {IDENTIFIER}: X509.rsa bb419ea1 []
"""  # fmt: skip


def identified(identifier=IDENTIFIER):
    """Return a certificate with a subjectKeyIdentifier, as openssl makes them."""

    class Found:
        serial_number = 0x3A7C01
        extensions = x509.Extensions(
            [
                x509.Extension(
                    x509.SubjectKeyIdentifier.oid, False, x509.SubjectKeyIdentifier(bytes.fromhex(identifier)),
                )
            ]
        )  # fmt: skip

    return Found()


@pytest.fixture
def host(tmp_path, monkeypatch):
    """A host with UEFI, Secure Boot and one certificate; `mokutil` answers what is set."""

    class Host:
        root = tmp_path
        mokutil = "module-signing.der is not enrolled\n"

        def set(self, name, content):
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)

        def run(self, command):
            assert command.argv[:2] == ("mokutil", "--test-key")
            return Result(status=0, stdout=self.mokutil.encode(), stderr_tail="")

        def rows(self):
            return {row.name: row for row in examine_secure_boot(self.run, tmp_path)}

    found = Host()
    found.set(VARIABLE, b"\x06\0\0\0\1")
    found.set("sys/kernel/security/lockdown", b"none [integrity] confidentiality\n")
    der = certificate().public_bytes(serialization.Encoding.DER)
    found.set("usr/share/immutable-base/secure-boot/module-signing.der", der)
    monkeypatch.setattr(
        "shutil.which", lambda name, **_: f"/usr/bin/{name}" if found.mokutil is not None else None
    )
    return found


def test_a_certificate_that_is_not_enrolled_is_missing_where_secure_boot_is_on(host):
    row = host.rows()["module-signing.der"]
    assert not row.ok
    assert row.reason == "not enrolled"
    assert "mokutil --import" in row.fix
    assert "/usr/share/immutable-base/secure-boot/module-signing.der" in row.fix


def test_it_is_missing_too_where_secure_boot_cannot_be_told(host):
    for state in (b"\x06\0\0\0", b"\x06\0\0\0\2", b""):
        host.set(VARIABLE, state)
        rows = host.rows()
        assert not rows["Secure Boot"].ok
        assert not rows["module-signing.der"].ok


def test_without_secure_boot_nothing_is_missing(host):
    host.set(VARIABLE, b"\x06\0\0\0\0")
    rows = host.rows()
    assert all(row.ok for row in rows.values())
    assert (rows["Secure Boot"].reason, rows["module-signing.der"].reason) == ("off", "not enrolled")  # fmt: skip


def test_a_certificate_that_waits_for_the_blue_screen_is_not_enrolled_yet(host):
    host.mokutil = "module-signing.der is already in the enrollment request\n"
    row = host.rows()["module-signing.der"]
    assert not row.ok
    assert "at the next boot" in row.reason


def test_an_enrolled_certificate_is_all_that_a_host_needs(host):
    host.mokutil = "module-signing.der is already enrolled\n"
    rows = host.rows()
    assert all(row.ok for row in rows.values())
    assert rows["lockdown"].reason == "integrity"


def test_the_next_certificate_may_wait_and_says_what_it_is_for(host):
    host.set(f"usr/share/immutable-base/secure-boot/{NEXT}", b"der")
    row = host.rows()[NEXT]
    assert row.ok
    assert row.reason == "not enrolled; it is for modules of later images"


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("a.der is not enrolled\n", Enrolment.ABSENT),
        ("SKIP: a.der is already enrolled\n", Enrolment.ENROLLED),
        ("a.der is already in the enrollment request\n", Enrolment.ASKED_FOR),
        ("Already in kernel trusted keyring. Skip a.der\n", Enrolment.ENROLLED),
        ("EFI variables are not supported on this system\n", Enrolment.UNKNOWN),
        ("", Enrolment.UNKNOWN),
    ],
)
def test_mokutils_words_are_understood_or_said_not_to_be(text, meaning):
    assert enrolment_by_mokutil(text) is meaning


def test_without_mokutil_the_kernels_keys_are_asked(host):
    host.mokutil = None
    assert "cannot be told" in host.rows()["module-signing.der"].reason
    host.set("proc/keys", KEYS.encode())
    row = host.rows()["module-signing.der"]
    assert (row.ok, row.reason) == (False, "in no keyring of the running kernel")
    host.set("proc/keys", KEYS.replace(IDENTIFIER, "3a7c01").encode())
    row = host.rows()["module-signing.der"]
    assert (row.ok, row.reason) == (True, "in a keyring of the running kernel")


def test_a_key_is_known_by_its_whole_identifier():
    assert enrolment_by_keys(KEYS, identified()) is Enrolment.LOADED
    for other in (IDENTIFIER[2:], IDENTIFIER[:-2], "00" * 20):
        assert enrolment_by_keys(KEYS, identified(other)) is Enrolment.NOT_LOADED
    user = KEYS.replace("asymmetri", "user     ")
    assert enrolment_by_keys(user, identified()) is Enrolment.NOT_LOADED


def test_an_image_without_certificates_says_so(host):
    (host.root / "usr/share/immutable-base/secure-boot/module-signing.der").unlink()
    row = host.rows()["module-signing.der"]
    assert not row.ok
    assert "has no signed modules of ours" in row.reason
    host.set(VARIABLE, b"\x06\0\0\0\0")
    assert host.rows()["module-signing.der"].ok


def test_a_host_is_asked_without_a_configuration(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = main.main(["doctor", "--secure-boot", "--format", "json"])
    document = json.loads(capsys.readouterr().out)
    assert {row["name"] for row in document["requirements"]} >= {"Secure Boot", "lockdown"}
    assert code == (0 if document["ready"] else 4)
    assert main.main(["doctor", "--secure-boot", "--online"]) == 2
