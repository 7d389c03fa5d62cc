"""Half a fleet, one without TLS and one beside a key are refused, each by the name of its key."""

import pytest

from immutable_base.config.load import load_settings
from immutable_base.config.trust import load_trust
from immutable_base.errors import ConfigurationError
from immutable_base.trusted_keys import host_trust_of
from support.paths import PRODUCT
from support.sound_image import PEM

LOOKASIDE, KEY_PATHS = 'lookaside = "https://admission.example"', 'key_paths = ["host.pub"]'


def configured(tmp_path, *lines):
    path = tmp_path / "immutable-base.toml"
    table = "\n".join(("[signing.fleet]", *lines))
    path.write_text(PRODUCT.read_text().replace("[publish]\n", f"{table}\n\n[publish]\n", 1))
    return path


def mistake(path):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path)
    return str(caught.value)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ([LOOKASIDE], "signing.fleet.key_paths: this key is missing"),
        ([KEY_PATHS], "signing.fleet.lookaside: this key is missing"),
        ([LOOKASIDE, "key_paths = []"], "signing.fleet.key_paths"),
        ([LOOKASIDE, 'key_paths = [""]'], "key_paths names a file twice, or none"),
        ([LOOKASIDE, 'key_paths = ["a", "a"]'], "key_paths names a file twice, or none"),
        ([LOOKASIDE, 'key_paths = ["a", "b", "c"]'], "signing.fleet.key_paths"),
        ([LOOKASIDE, KEY_PATHS, 'key = "x"'], "signing.fleet.key: unknown key"),
        (
            [LOOKASIDE, KEY_PATHS, "[signing.keys]", 'key = "env://KEY"', KEY_PATHS],
            "signing: keys and fleet: hosts demand one or the other",
        ),
    ],
)
def test_half_a_fleet_is_no_fleet(tmp_path, lines, words):
    assert words in mistake(configured(tmp_path, *lines))


@pytest.mark.parametrize(
    "address",
    [
        "http://admission.example", "http://10.0.0.1", "http://127.0.0.1.example", "https://", "file:///srv/x",
        "admission.example", "https://user:word@admission.example", "https://admission.example/?a=b",
        "https://admission.example/#x", "https://admission.example/a:", "https://admission.example/a//b",
        "https://admission.example/a b",
    ],
)  # fmt: skip
def test_an_address_without_tls_or_that_says_more_is_refused(tmp_path, address):
    path = configured(tmp_path, f'lookaside = "{address}"', KEY_PATHS)
    assert "signing.fleet.lookaside" in mistake(path)


@pytest.mark.parametrize(
    "address",
    [
        "https://admission.example", "https://admission.example/", "https://admission.example:8443/a/b-c",
        "https://[2001:db8::1]/a", "http://127.0.0.1:8080", "http://localhost/a",
    ],
)  # fmt: skip
def test_whole_addresses_are_taken_and_verifying_does_not_care(tmp_path, address):
    path = configured(tmp_path, f'lookaside = "{address}"', KEY_PATHS)
    (tmp_path / "host.pub").write_text(PEM)
    trust = host_trust_of(load_settings(path), tmp_path)
    assert trust.lookaside == address.rstrip("/")
    assert trust.keys[0].pem == PEM
    assert load_trust(path).signing == load_trust(PRODUCT).signing


def test_a_key_s_file_that_is_missing_or_none_is_named(tmp_path):
    settings = load_settings(configured(tmp_path, LOOKASIDE, KEY_PATHS))
    with pytest.raises(ConfigurationError, match=r"host\.pub"):
        host_trust_of(settings, tmp_path)
    (tmp_path / "host.pub").write_text("-----BEGIN PRIVATE KEY-----\n")
    with pytest.raises(ConfigurationError, match=r"host\.pub holds a private key"):
        host_trust_of(settings, tmp_path)
