"""Whom a host believes: complete, in order, and written by nobody else; or nothing is admitted."""

import json
import os
from types import SimpleNamespace

import pytest

from immutable_base.admission import settings as settings_module
from immutable_base.admission.settings import load_settings
from immutable_base.errors import ConfigurationError
from immutable_base.public_trust import SHIPPED
from support.forge import IDENTITY, Instance, pem_of, public_pem


@pytest.fixture(scope="module")
def files():
    made = Instance()
    return {
        "fulcio_root": pem_of(made.root).encode(),
        "rekor_key": public_pem(made.rekor_key),
        "ct_log_key": public_pem(made.ct_key),
    }


@pytest.fixture
def write(tmp_path, files):
    """Write settings of a private instance with some keys changed; None leaves one out."""

    def write(**changes):
        for name, content in files.items():
            (tmp_path / f"{name}.pem").write_bytes(content)
        (tmp_path / "trusted_root.json").write_bytes(SHIPPED.read_bytes())
        table = {
            "schema_version": 1, "certificate_identity": IDENTITY,
            "certificate_oidc_issuer": "https://gitlab.com", "fulcio_url": "https://fulcio.example",
            **{name: f"{name}.pem" for name in files}, **changes,
        }  # fmt: skip
        path = tmp_path / "admission.toml"
        rows = [f"{key} = {json.dumps(value)}" for key, value in table.items() if value is not None]
        path.write_text("\n".join(rows))
        return path

    return write


PUBLIC = {"fulcio_root": None, "rekor_key": None, "ct_log_key": None, "trusted_root": "trusted_root.json"}  # fmt: skip


def test_of_a_private_instance_all_the_trust_is_read(write):
    found = load_settings(write())
    assert found.signer.identity == IDENTITY
    assert found.roots.sct_checked
    assert found.signer.claims == {}
    assert str(found.state) == "/var/lib/immutable-base/admission"


def test_of_the_public_instance_too(write):
    assert len(load_settings(write(**PUBLIC)).roots.authorities) >= 1


def test_what_the_certificate_must_say_is_demanded(write):
    found = load_settings(
        write(project_id="1", runner_environment="self-hosted", source_ref="refs/heads/main",
              build_triggers=["schedule", "web"])
    )  # fmt: skip
    assert found.signer.claims == {
        "project_id": ("1",), "runner_environment": ("self-hosted",),
        "source_ref": ("refs/heads/main",), "build_trigger": ("schedule", "web"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"certificate_identity": None}, "certificate_identity is missing"),
        ({"certificate_identity": ""}, "certificate_identity is missing"),
        ({"certificate_identity": f" {IDENTITY}"}, "not a text"),
        ({"certificate_identity": f"{IDENTITY}\n"}, "not a text"),
        ({"certificate_identity": 7}, "not a text"),
        ({"certificate_oidc_issuer": None}, "issuer is missing"),
        ({"schema_version": 2}, "schema_version is not 1"),
        ({"schema_version": True}, "not a number"),
        ({"project_id": 58391042}, "project_id is not a text"),
        ({"project_id": ""}, "project_id is not a text"),
        ({"build_triggers": "schedule"}, "build_triggers is not a list"),
        ({"build_triggers": [7]}, "build_triggers is not a list"),
        ({"proyect_id": "1"}, "there is no key proyect_id"),
        ({"keep_days": -1}, "keep_days is not a number"),
        ({"mirrors": ["mirror.example/os"]}, "mirrors needs destination"),
        ({"rekor_key": None}, "belong together"),
        ({"fulcio_root": None}, "belong together"),
        ({"ct_log_key": None}, "without_ct_log = true"),
        ({"without_ct_log": True}, "without_ct_log = true"),
        ({"without_ct_log": "yes"}, "not true or false"),
        ({"trusted_root": "trusted_root.json"}, "all the trust there is"),
        ({**PUBLIC, "ct_log_key": "ct_log_key.pem"}, "all the trust there is"),
        ({**PUBLIC, "without_ct_log": True}, "all the trust there is"),
        ({**PUBLIC, "trusted_root": None}, "belong together"),
        ({"fulcio_root": "missing.pem"}, "cannot be read"),
        ({"fulcio_root": "rekor_key.pem"}, "no certificate"),
        ({"rekor_key": "fulcio_root.pem"}, "ECDSA public keys"),
        ({**PUBLIC, "trusted_root": "rekor_key.pem"}, "not understood"),
    ],
)
def test_half_a_trust_is_none(write, changes, words):
    with pytest.raises(ConfigurationError) as caught:
        load_settings(write(**changes))
    assert words in str(caught.value)


@pytest.mark.parametrize("raw", [b"\xff", b"[", b"a = 1\na = 2", b"certificate_identity = "])
def test_what_is_no_toml_is_told(tmp_path, raw):
    (tmp_path / "admission.toml").write_bytes(raw)
    with pytest.raises(ConfigurationError, match="is not TOML"):
        load_settings(tmp_path / "admission.toml")


def test_without_settings_the_message_says_who_brings_them(tmp_path, monkeypatch):
    monkeypatch.setattr(settings_module, "PLACES", (tmp_path / "a", tmp_path / "b"))
    with pytest.raises(ConfigurationError) as caught:
        load_settings(None)
    assert str(tmp_path / "b") in caught.value.message
    assert "layer `admission`" in caught.value.hint


def test_the_administrators_file_counts_as_a_whole(write, tmp_path, monkeypatch):
    own = tmp_path / "own.toml"
    own.write_text(write(project_id="7").read_text())
    monkeypatch.setattr(settings_module, "PLACES", (own, write(source_ref="refs/heads/main")))
    assert load_settings(None).signer.claims == {"project_id": ("7",)}


@pytest.mark.parametrize("name", ["admission.toml", "rekor_key.pem"])
@pytest.mark.parametrize("mode", [0o666, 0o664, 0o646])
def test_a_file_to_which_others_may_write_decides_nothing(write, tmp_path, name, mode):
    path = write()
    (tmp_path / name).chmod(mode)
    with pytest.raises(ConfigurationError, match="others may write"):
        load_settings(path)


def test_a_file_of_another_user_decides_nothing(write, monkeypatch):
    path = write()
    foreign = SimpleNamespace(st_uid=os.geteuid() + 1, st_mode=0o100644)
    seen = SimpleNamespace(fstat=lambda number: foreign, geteuid=os.geteuid)
    monkeypatch.setattr(settings_module, "os", seen)
    with pytest.raises(ConfigurationError, match="others may write"):
        load_settings(path)


def test_settings_of_which_only_the_beginning_would_be_read_are_none(write):
    path = write()
    path.write_text(
        path.read_text() + "\n" + "#" * settings_module.LARGEST + '\nproject_id = "1"\n'
    )
    with pytest.raises(ConfigurationError, match="larger than"):
        load_settings(path)


def test_a_folder_is_no_settings(tmp_path):
    with pytest.raises(ConfigurationError, match="cannot be read: Is a directory"):
        load_settings(tmp_path)
