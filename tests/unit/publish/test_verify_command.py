"""`immutable-base verify` of what was published: what a user reads, and when it is refused."""

import json

import pytest

from immutable_base import api
from immutable_base.cli.main import main
from immutable_base.config.load import load_settings
from immutable_base.errors import VerificationError
from immutable_base.model.verify import VerificationReport
from immutable_base.report.verify import verification_text
from support.paths import PRODUCT
from support.publish_world import DIGEST

IDENTITY = "https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main"
SETTINGS = load_settings(PRODUCT)
REPOSITORY = f"{SETTINGS.registry.destination}/base-zfs"


@pytest.fixture
def published(world, token, publish, monkeypatch):
    """The command, in a world in which an image was published; returns (exit code, out, err)."""
    publish()
    world.restart()
    monkeypatch.setattr("immutable_base.process.run", world.run)
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    return lambda *arguments: main(["verify", "--config", str(PRODUCT), *map(str, arguments)])


def test_text_says_what_was_proven_one_fact_a_line(published, capsys):
    assert published("base-zfs") == 0
    assert capsys.readouterr().out.splitlines() == [
        f"verified  {REPOSITORY}@{DIGEST}",
        f"signer    {SETTINGS.signing.certificate_identity}",
        "issuer    https://gitlab.com",
        "log       entry 7",
        "SBOM      attested by the same signer, 0 components",
    ]


def test_json_says_the_same(published, capsys, tmp_path):
    assert published(f"{REPOSITORY}:latest", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    assert document == {
        "schema_version": 1,
        "image": f"{REPOSITORY}@{DIGEST}",
        "signer": SETTINGS.signing.certificate_identity,
        "issuer": "https://gitlab.com",
        "rekor_log_index": 7,
        "sct_checked": True,
        "sbom_components": [0],
    }
    assert published("base-zfs", "--format", "json", "--output", tmp_path / "x.json") == 0
    assert json.loads((tmp_path / "x.json").read_text()) == document
    assert capsys.readouterr().out == ""


def test_a_tag_is_resolved_once_and_what_it_named_is_verified(published, world):
    """It may move while cosign looks."""
    assert published("base-zfs:20251124") == 0
    assert world.steps() == ["inspect", "verify", "verify-attestation"]
    assert [c.argv[-1].rpartition("/")[2] for c in world.commands] == [
        "base-zfs:20251124", f"base-zfs@{DIGEST}", f"base-zfs@{DIGEST}",
    ]  # fmt: skip


def test_a_digest_needs_no_tag(published, world):
    assert published(f"{REPOSITORY}@{DIGEST}") == 0
    assert world.steps() == ["verify", "verify-attestation"]


def test_a_tag_that_is_not_there_is_said_and_nothing_is_verified(published, world, capsys):
    assert published("base-zfs:nothing") == 12
    assert f"there is no image {REPOSITORY}:nothing" in capsys.readouterr().err
    assert world.steps() == ["inspect"]


def test_another_signer_than_the_one_asked_for_is_refused(published, capsys):
    assert published("base-zfs", "--certificate-identity", IDENTITY) == 12
    captured = capsys.readouterr()
    assert IDENTITY in captured.err
    assert captured.out == "", "nothing was proven"
    assert published("base-zfs", "--certificate-oidc-issuer", "https://evil.example") == 12


def test_a_registry_that_is_down_is_no_refusal(published, world, capsys):
    world.fail, world.says = "inspect", "dial tcp: connection refused"
    assert published("base-zfs") == 6
    assert "connection refused" in capsys.readouterr().err


def test_what_could_not_be_proven_is_a_line_of_its_own():
    report = VerificationReport(
        image="r/x@sha256:0", signer="me", issuer="https://i", rekor_log_index=None, sct_checked=False,
        sbom_components=(3, 412),
    )  # fmt: skip
    assert verification_text(report).splitlines()[3:] == [
        "log       entry -",
        "SBOM      attested by the same signer, 3, 412 components",
        "note      no SCT: this Sigstore instance has no CT log",
    ]


def test_the_library_refuses_and_proves_as_the_command_does(published, world):
    with pytest.raises(VerificationError):
        api.verify("base-zfs", PRODUCT, identity=IDENTITY)
    with pytest.raises(VerificationError, match="there is no image"):
        api.verify("base-zfs:nothing", PRODUCT)
    report = api.verify("base-zfs", PRODUCT)
    assert (report.image, report.sbom_components) == (f"{REPOSITORY}@{DIGEST}", (0,))
