"""What is missing is said in the first second, with the command that mends it."""

import dataclasses
from pathlib import Path

import pytest

from immutable_base.config.load import load_settings
from immutable_base.context import Context
from immutable_base.doctor import examine, require_ready
from immutable_base.errors import CommandError, ConfigurationError, HostError

ROOT = Path(__file__).parents[2]


@pytest.fixture
def context(tmp_path):
    settings = load_settings(ROOT / "immutable-base.toml").model_copy(
        update={"minimum_free_gib": 0}
    )
    return Context(settings=settings, config_path=ROOT / "immutable-base.toml", layers_folder=ROOT / "layers",
                   workspace=tmp_path, run=lambda _command: None)  # fmt: skip


def test_missing_programs_are_named_with_their_package(context, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    missing = {f.name: f.fix for f in examine(context) if not f.ok}
    assert missing["createrepo_c"] == "`apt-get install createrepo-c`"
    # Not `lab env`: on a real runner it would lead the night into the lab.
    assert "`immutable-base lab tools cosign`" in missing["cosign"]
    assert "lab env" not in missing["cosign"]
    with pytest.raises(HostError) as caught:
        require_ready(context)
    assert "apt-get install buildah" in str(caught.value)
    assert caught.value.exit_code == 4


def test_not_root(context, monkeypatch):
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    assert "sudo -E" in {f.name: f.fix for f in examine(context) if not f.ok}["root"]


def test_namespaces_refused(context, monkeypatch):
    def refused(_command):
        raise CommandError("unshare failed", details="unshare failed: Operation not permitted")

    monkeypatch.setattr("os.geteuid", lambda: 0)
    requirements = {f.name: f for f in examine(dataclasses.replace(context, run=refused))}
    assert not requirements["namespaces"].ok
    assert "Operation not permitted" in requirements["namespaces"].reason
    assert "privileged" in requirements["namespaces"].fix


def test_a_private_ca_that_is_not_there(context):
    registry = context.settings.registry.model_copy(update={"ca_bundle": "/nowhere/ca.pem"})
    settings = context.settings.model_copy(update={"registry": registry})
    with pytest.raises(ConfigurationError, match="there is no file"):
        dataclasses.replace(context, settings=settings).tls_environment()


def test_no_space(context):
    hungry = context.settings.model_copy(update={"minimum_free_gib": 1_000_000})
    requirements = {f.name: f for f in examine(dataclasses.replace(context, settings=hungry))}
    assert not requirements["space"].ok
    assert "--workspace" in requirements["space"].fix


def test_private_ca_is_added_to_the_systems(context, tmp_path, monkeypatch):
    (tmp_path / "system.pem").write_text("SYSTEM\n")
    (tmp_path / "ca.pem").write_text("OURS\n")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "system.pem"))
    registry = context.settings.registry.model_copy(update={"ca_bundle": str(tmp_path / "ca.pem")})
    settings = context.settings.model_copy(update={"registry": registry})
    environment = dataclasses.replace(context, settings=settings).tls_environment()
    assert Path(environment["SSL_CERT_FILE"]).read_text().split() == ["SYSTEM", "OURS"]
    assert dict(context.tls_environment()) == {}
