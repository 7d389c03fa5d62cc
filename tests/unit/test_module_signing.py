"""Whose certificates and which keys sign modules: the bad ones first."""

import re
import subprocess
import time

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.x509.oid import ExtendedKeyUsageOID

from immutable_base.config.module_signing import ModuleSigning
from immutable_base.errors import CommandError, ConfigurationError, ToolMissingError
from immutable_base.module_signing import (
    KEY_VARIABLE,
    PASSPHRASE_VARIABLE,
    open_module_key,
    read_signer,
)
from immutable_base.process import Result, run
from immutable_base.tools.pkcs11 import PIN_NAME
from support.module_keys import (
    NAME,
    NOW,
    certificate,
    ec_key,
    pem_of,
    rsa_key,
    signer_of,
    write_certificate,
    write_key,
)
from support.paths import ROOT

PIN = "tok3n-p1n"
URI = "pkcs11:token=night;object=modules?module-path=/usr/lib/softhsm/libsofthsm2.so"


def refused_certificate(folder, found=None, name="module.pem"):
    path = write_certificate(folder, found, name) if found else folder / name
    with pytest.raises(ConfigurationError) as caught:
        read_signer(ModuleSigning(certificate=name), folder, now=NOW.timestamp())
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 2
    return str(caught.value)


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"key": ec_key()}, "its key is not RSA"),
        ({"key": rsa_key(1024)}, "its key has 1024 bits"),
        ({"begins": 1}, "it is not valid before 2026-11-25"),
        ({"begins": -9, "ends": -1}, "it has expired on 2026-11-23"),
        ({"name": ""}, "its issuer has no common name"),
        ({"signs": False}, "its keyUsage does not have digitalSignature"),
        ({"purposes": (ExtendedKeyUsageOID.SERVER_AUTH,)}, "extendedKeyUsage does not have codeSigning"),
    ],
)  # fmt: skip
def test_a_certificate_that_a_host_would_not_accept_is_refused_with_the_reason(
    tmp_path, made, words
):
    assert words in refused_certificate(tmp_path, certificate(**made))


def test_a_certificate_signed_with_an_old_hash_is_refused(tmp_path, monkeypatch):
    """The library makes none any more."""
    found = certificate(algorithm=hashes.SHA224())
    assert "it is not signed with SHA-256" in refused_certificate(tmp_path, found)


def test_what_is_no_certificate_is_refused(tmp_path):
    assert "No such file" in refused_certificate(tmp_path)
    for content, words in (
        (b"", "is not one X.509 certificate"),
        (b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n", "is not one X.509"),
        (certificate().public_bytes(serialization.Encoding.PEM) * 2, "it holds 2 certificates"),
        (pem_of(rsa_key()), "holds a private key, and images would carry it"),
    ):
        (tmp_path / "module.pem").write_bytes(content)
        said = refused_certificate(tmp_path)
        assert words in said
        assert pem_of(rsa_key()).decode().splitlines()[1] not in said


def test_the_next_certificate_is_judged_as_the_first(tmp_path):
    with pytest.raises(ConfigurationError, match=r"next\.pem"):
        signer_of(tmp_path, following=certificate(begins=-9, ends=-1))


def test_a_certificate_without_extensions_or_in_der_will_do(tmp_path):
    """The kernel's own, made by its x509.genkey, has no extendedKeyUsage."""
    write_certificate(tmp_path, certificate(purposes=()), "module.der")
    found = read_signer(ModuleSigning(certificate="module.der"), tmp_path, now=NOW.timestamp())
    assert found.name == NAME


def test_a_signer_is_named_as_modinfo_names_it(tmp_path):
    following = certificate(rsa_key(number=1), serial=1)
    found = signer_of(tmp_path, certificate(serial=0x00A7_0B01), following)
    assert (found.name, found.key_id) == (NAME, "A7:0B:01")
    assert list(found.certificates) == ["module-signing.der", "module-signing-next.der"]
    der = following.public_bytes(serialization.Encoding.DER)
    assert found.certificates["module-signing-next.der"] == der
    assert found.sha256 == certificate(serial=0x00A7_0B01).fingerprint(hashes.SHA256()).hex()


def no_program(command):
    pytest.fail(f"started a program: {command}")


def opened(folder, text, passphrase=None, *, found=None, runner=no_program):
    environment = {KEY_VARIABLE: str(text)}
    if passphrase is not None:
        environment[PASSPHRASE_VARIABLE] = passphrase
    return open_module_key(runner, signer_of(folder, found), environment)


def refused_key(folder, text, passphrase=None, **how):
    with pytest.raises(ConfigurationError) as caught:
        opened(folder, text, passphrase, **how)
    said = str(caught.value)
    assert caught.value.exit_code == 2
    for secret in (passphrase, *pem_of(rsa_key()).decode().splitlines()[1:-1]):
        assert not secret or secret not in said
    return said


def test_without_a_key_modules_are_not_silently_left_unsigned(tmp_path):
    with pytest.raises(ConfigurationError, match="IMMUTABLE_BASE_MODULE_KEY is not set") as caught:
        open_module_key(no_program, signer_of(tmp_path), {})
    assert "--unsigned" in caught.value.hint
    assert "a protected variable to jobs of protected branches only" in caught.value.hint


def test_another_key_than_the_certificates_is_refused(tmp_path):
    path = write_key(tmp_path, rsa_key(number=1))
    assert "is not that of the certificate of Example modules" in refused_key(tmp_path, path)
    assert "is no RSA key" in refused_key(tmp_path, write_key(tmp_path, ec_key()))


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o666, 0o610])
def test_a_key_that_others_can_read_is_refused(tmp_path, mode):
    said = refused_key(tmp_path, write_key(tmp_path, mode=mode))
    assert f"(mode {mode:04o})" in said
    assert "chmod 600" in said


def test_a_key_with_a_passphrase_needs_it(tmp_path):
    path = write_key(tmp_path, passphrase=b"s3cret-words")
    assert "has a passphrase" in refused_key(tmp_path, path)
    assert "is not its passphrase" in refused_key(tmp_path, path, "wr0ng-words")
    text = pem_of(rsa_key(), b"s3cret-words").decode()
    for given in (path, text):
        assert opened(tmp_path, given, "s3cret-words").sign(b"x")


def test_what_is_no_key_is_refused_and_never_shown(tmp_path):
    """A key pasted without its first line must not end up in a log as a file's name."""
    body = "".join(pem_of(rsa_key()).decode().splitlines()[1:-1])
    said = refused_key(tmp_path, body)
    assert "cannot be read" in said
    assert body[:20] not in said
    assert "names no file" in refused_key(tmp_path, tmp_path)
    assert "No such file" in refused_key(tmp_path, tmp_path / "absent")
    assert "cannot be read" in refused_key(tmp_path, "a\0b")
    (tmp_path / "module.key").write_text("no key\n")
    (tmp_path / "module.key").chmod(0o600)
    assert "is no private key in PEM" in refused_key(tmp_path, tmp_path / "module.key")
    cut = pem_of(rsa_key()).decode()[:900]
    assert "is no private key in PEM" in refused_key(tmp_path, cut)


def test_a_key_as_file_and_as_text_sign_alike_and_twice_the_same(tmp_path):
    first = opened(tmp_path, write_key(tmp_path)).sign(b"module")
    assert first == opened(tmp_path, pem_of(rsa_key()).decode()).sign(b"module")
    # A passphrase that is set for another key does no harm.
    assert first == opened(tmp_path, write_key(tmp_path), "unused").sign(b"module")
    assert first != opened(tmp_path, write_key(tmp_path)).sign(b"Module")


def test_openssl_verifies_a_signature_and_refuses_it_on_anything_else(tmp_path):
    (tmp_path / "sig.der").write_bytes(opened(tmp_path, write_key(tmp_path)).sign(b"module\n"))

    def verify(content, by):
        (tmp_path / "content").write_bytes(content)
        argv = [
            "openssl", "smime", "-verify", "-binary", "-inform", "DER", "-in", "sig.der", "-content", "content",
            "-certfile", by.name, "-nointern", "-noverify",
        ]  # fmt: skip
        return subprocess.run(argv, cwd=tmp_path, capture_output=True).returncode

    mine = write_certificate(tmp_path)
    other = write_certificate(tmp_path, certificate(rsa_key(number=1)), "other.pem")
    assert verify(b"module\n", mine) == 0
    assert verify(b"modulf\n", mine) != 0
    assert verify(b"module\n", other) != 0


def test_a_signature_has_neither_time_nor_certificate(tmp_path):
    (tmp_path / "sig.der").write_bytes(opened(tmp_path, write_key(tmp_path)).sign(b"module"))
    argv = ["openssl", "asn1parse", "-inform", "DER", "-in", str(tmp_path / "sig.der")]
    shown = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert "signingTime" not in shown
    assert "UTCTIME" not in shown
    assert "messageDigest" not in shown
    assert ":sha256" in shown


def test_a_key_shows_nothing_of_itself(tmp_path):
    found = opened(tmp_path, write_key(tmp_path))
    assert repr(found) == "ModuleKey(serial=3a7c01)"


class Token:
    """pkcs11-tool with a token behind it; its words are those of OpenSC 0.23."""

    shown = """\
Private Key Object; RSA\x20
  label:      other
  ID:         0b
  Usage:      decrypt, sign, unwrap
Private Key Object; RSA\x20
  label:      modules
  ID:         0a
  Usage:      sign
"""

    def __init__(self, key=None, error=None):
        self.key, self.error, self.commands = key or rsa_key(), error, []

    def __call__(self, command):
        self.commands.append(command)
        if self.error:
            raise self.error
        assert command.argv[0] == "pkcs11-tool"
        if "--list-objects" in command.argv:
            return Result(status=0, stdout=self.shown.encode(), stderr_tail="")
        n = self.key.private_numbers()
        size = self.key.key_size // 8
        padded = b"\0\1" + b"\xff" * (size - 3 - len(command.stdin)) + b"\0" + command.stdin
        raw = pow(int.from_bytes(padded, "big"), n.d, n.public_numbers.n)
        return Result(status=0, stdout=raw.to_bytes(size, "big"), stderr_tail="")


def test_a_token_signs_as_its_key_in_a_file_would(tmp_path):
    token = Token()
    found = opened(tmp_path, URI, PIN, runner=token)
    assert found.sign(b"module") == opened(tmp_path, write_key(tmp_path)).sign(b"module")
    command = token.commands[-1]
    assert command.argv[1:5] == (
        "--module", "/usr/lib/softhsm/libsofthsm2.so", "--token-label", "night",
    )  # fmt: skip
    assert command.argv[-2:] == ("--id", "0a"), "with a label it would take the first key"
    assert PIN not in str(command.argv)
    assert PIN in command.secrets


def test_the_token_s_module_is_told_where_its_token_is_and_nothing_else(tmp_path):
    token = Token()
    environment = {
        KEY_VARIABLE: URI, PASSPHRASE_VARIABLE: PIN, "SOFTHSM2_CONF": "/x", "CI_JOB_TOKEN": "secret",
    }  # fmt: skip
    open_module_key(token, signer_of(tmp_path), environment)
    assert [command.env for command in token.commands] == [
        {"SOFTHSM2_CONF": "/x", PIN_NAME: PIN} for _ in token.commands
    ]


def test_a_key_of_a_token_may_be_named_by_its_id(tmp_path):
    token = Token()
    opened(tmp_path, "pkcs11:token=my%20night;id=%0a%FF;type=private", PIN, runner=token)
    argv = token.commands[0].argv
    assert argv[argv.index("--id") + 1] == "0aff"
    assert argv[argv.index("--token-label") + 1] == "my night"


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ("", "no private key of that label"),
        (Token.shown.replace("modules", "modules2"), "no private key of that label"),
        (Token.shown.replace("other", "modules"), "several private keys of that label"),
    ],
)
def test_a_label_that_names_no_key_or_several_is_refused(tmp_path, shown, words):
    token = Token()
    token.shown = shown
    assert words in refused_key(tmp_path, URI, PIN, runner=token)
    assert len(token.commands) == 1, "nothing is signed"


def test_a_token_that_does_not_sign_or_has_another_key_is_refused_before_anything_is_built(
    tmp_path,
):
    wrong = CommandError("`pkcs11-tool` ended", details="error: PKCS11 function C_Login failed: rv = CKR_PIN_INCORRECT")  # fmt: skip
    assert "CKR_PIN_INCORRECT" in refused_key(tmp_path, URI, PIN, runner=Token(error=wrong))
    other = Token(rsa_key(number=1))
    assert "key is not that of the certificate" in refused_key(tmp_path, URI, PIN, runner=other)
    assert "needs its PIN" in refused_key(tmp_path, URI)


@pytest.mark.parametrize(
    ("uri", "words"),
    [
        ("pkcs11:token=night", "names no key"),
        ("pkcs11:", "names no key"),
        (f"pkcs11:object=x?pin-value={PIN}", "an attribute that is not known"),
        ("pkcs11:object=x?pin-source=/pin", "an attribute that is not known"),
        ("pkcs11:object", "an attribute that is not known"),
    ],
)
def test_a_uri_that_cannot_be_followed_is_refused_and_not_shown(tmp_path, uri, words):
    said = refused_key(tmp_path, uri, PIN)
    assert words in said


def test_without_pkcs11_tool_its_package_is_named(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("shutil.which", lambda *_, **__: None)
    with pytest.raises(ToolMissingError, match="pkcs11-tool") as caught:
        opened(tmp_path, URI, PIN, runner=run)
    assert "apt-get install opensc" in caught.value.hint


def test_the_how_tos_command_makes_what_is_accepted(tmp_path):
    text = (ROOT / "docs/how-to/secure-boot.md").read_text()
    (command,) = re.findall(r"^(openssl req (?:.*\\\n)*.*)$", text, re.MULTILINE)
    script = f"umask 077\n{command} -noenc"
    subprocess.run(["sh", "-ec", script], cwd=tmp_path, check=True, capture_output=True)
    found = read_signer(ModuleSigning(certificate="module-signing.pem"), tmp_path, now=time.time())
    environment = {KEY_VARIABLE: str(tmp_path / "module-signing.key")}
    assert open_module_key(no_program, found, environment).sign(b"module")
