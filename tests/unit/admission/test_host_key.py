"""The host's own key: made once, and refused if anybody else could have it."""

import os
import stat

import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_public_key,
)

from immutable_base.admission.folder import open_folder
from immutable_base.admission.host_key import host_key
from immutable_base.errors import HostError


@pytest.fixture
def state(tmp_path):
    return tmp_path / "state"


def read(state):
    with open_folder(state) as folder:
        return host_key(folder)


def test_it_is_made_once_and_its_public_half_lies_beside(state):
    first = read(state)
    assert read(state).private_numbers() == first.private_numbers()
    public = load_pem_public_key((state / "host.pub").read_bytes())
    assert public.public_numbers() == first.public_key().public_numbers()
    assert stat.S_IMODE((state / "host.key").stat().st_mode) == 0o600
    assert sorted(path.name for path in state.iterdir()) == ["host.key", "host.pub"]


def test_a_public_half_that_does_not_belong_to_it_is_replaced(state, tmp_path):
    read(state)
    read(tmp_path / "other")
    (state / "host.pub").write_bytes((tmp_path / "other/host.pub").read_bytes())
    key = read(state)
    public = load_pem_public_key((state / "host.pub").read_bytes())
    assert public.public_numbers() == key.public_key().public_numbers()


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o660, 0o777, 0o610])
def test_a_key_that_others_could_read_is_refused(state, mode):
    read(state)
    (state / "host.key").chmod(mode)
    with pytest.raises(HostError, match="others may read it") as caught:
        read(state)
    assert "has to be replaced" in caught.value.hint


def test_a_key_of_another_user_is_refused(state, monkeypatch):
    read(state)
    os.chown(state / "host.key", 4242, -1) if os.geteuid() == 0 else monkeypatch.setattr(
        os, "geteuid", lambda: 4242
    )
    with pytest.raises(HostError, match="belongs to the user"):
        read(state)


def pem(key, encryption=None):
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption or NoEncryption())


BAD = {
    "empty": b"",
    "nonsense": b"-----BEGIN PRIVATE KEY-----\nhello\n-----END PRIVATE KEY-----\n",
    "no text": b"\xff" * 100,
    "too large": b"x" * (17 << 10),
    "another curve": pem(ec.generate_private_key(ec.SECP384R1())),
    "RSA": pem(rsa.generate_private_key(65537, 2048)),
    "Ed25519": pem(ed25519.Ed25519PrivateKey.generate()),
    "a password": pem(ec.generate_private_key(ec.SECP256R1()), BestAvailableEncryption(b"x")),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_key_of_ours_is_refused_and_stays(state, name):
    state.mkdir()
    (state / "host.key").write_bytes(BAD[name])
    (state / "host.key").chmod(0o600)
    with pytest.raises(HostError, match=r"P-256|larger than"):
        read(state)
    assert (state / "host.key").read_bytes() == BAD[name]
    assert not (state / "host.pub").exists()
