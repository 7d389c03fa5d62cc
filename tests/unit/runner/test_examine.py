"""`doctor --ci` as a user runs it."""

import json
import socket
import time
from pathlib import Path

import jsonschema
import pytest

from immutable_base.config.load import load_settings
from immutable_base.runner.examine import RunnerExamination
from support.forge import IDENTITY, ISSUER
from support.paths import ROOT
from support.scene import command, write_config

NAMES = [
    "volume", "job", "identity token", "registry: read", "registry: write", "clock", "cleanup policy",
]  # fmt: skip


@pytest.fixture
def config(registry, registry_tls, tmp_path, monkeypatch):
    for name in ("GITLAB_CI", "SIGSTORE_ID_TOKEN", "CI_API_V4_URL", "GITLAB_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    (tmp_path / "layers").mkdir()
    signing = {
        "certificate_identity": IDENTITY, "certificate_oidc_issuer": ISSUER,
        "fulcio_url": "https://fulcio.sigstore.dev", "rekor_url": "https://rekor.sigstore.dev",
    }  # fmt: skip
    place = {"destination": f"{registry.host}/os", "ca_bundle": str(registry_tls.authority)}
    return write_config(tmp_path, signing, place)


def test_every_thing_has_a_line_and_a_document_that_fits_its_schema(config, tmp_path):
    arguments = ["doctor", "--ci", "--config", config, "--workspace", tmp_path]
    text = command(arguments)
    for name in NAMES:
        assert f" {name} (" in text.out
    document = json.loads(command([*arguments, "--format", "json"]).out)["ci"]
    assert [finding["name"] for finding in document["findings"]] == NAMES
    schema = json.loads((ROOT / "schema/runner.schema.json").read_text())
    jsonschema.validate(document, schema)


def test_a_pipeline_without_the_jobs_of_its_variants_is_a_fault_of_the_command(
    config, tmp_path, monkeypatch
):
    """Also on a host that has everything."""
    monkeypatch.setattr("immutable_base.cli.doctor.examine", lambda *_, **__: ())
    place = Path(config).parent / "ci/variants.yml"
    place.parent.mkdir()
    place.write_text("# of another configuration\n")
    arguments = ["doctor", "--ci", "--config", config, "--workspace", tmp_path]
    (last,) = json.loads(command([*arguments, "--format", "json"]).out)["ci"]["findings"][-1:]
    assert (last["name"], last["state"]) == ("pipeline", "fault")
    assert last["fix"] == "`immutable-base ci --output ci/variants.yml`"
    assert command(arguments).code == 4


def test_a_registry_that_hangs_takes_less_than_a_minute(config, tmp_path, monkeypatch):
    monkeypatch.setattr("immutable_base.runner.examine.SECONDS", 0.5)
    settings = load_settings(config)
    began = time.monotonic()
    with socket.create_server(("127.0.0.1", 0)) as silent:
        host = f"127.0.0.1:{silent.getsockname()[1]}"
        place = settings.registry.model_copy(update={"destination": f"{host}/os"})
        report = RunnerExamination(
            settings=settings.model_copy(update={"registry": place}), folder=tmp_path,
            workspace=tmp_path, environment={},
        ).report()  # fmt: skip
    assert time.monotonic() - began < 30
    assert report.exit_code == 4
    assert [it.name for it in report.findings if it.state == "fault"] == ["registry: read"]


def test_a_ca_that_is_not_there_is_a_fault_and_no_traceback(config, tmp_path):
    settings = load_settings(config)
    place = settings.registry.model_copy(update={"ca_bundle": "nope.pem"})
    report = RunnerExamination(
        settings=settings.model_copy(update={"registry": place}), folder=tmp_path, workspace=tmp_path,
        environment={"CI_SERVER_TLS_CA_FILE": "/nonexistent"},
    ).report()  # fmt: skip
    found = {finding.name: finding for finding in report.findings}
    assert "nope.pem" in found["registry: read"].message
    assert "could not be asked" in found["cleanup policy"].message
