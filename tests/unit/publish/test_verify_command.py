"""`immutable-base verify` of what was published: what a user reads, and when it is refused."""

import hashlib
import json

import pytest

from immutable_base import api
from immutable_base.cli.main import main
from immutable_base.config.load import load_settings
from immutable_base.errors import NoSuchImageError, OtherSignerError
from immutable_base.provenance.record import base_material
from immutable_base.report.verify import verification_text
from immutable_base.verification.attestation import Attested
from immutable_base.verification.image import ImageWords
from immutable_base.verification.policy import Signer
from immutable_base.verification.roots import TrustRoots
from immutable_base.verification.verify_image import Signed, Verified
from immutable_base.verify import VerifiedImage
from support.complete import BASE, full_of
from support.paths import PRODUCT
from support.publish_world import DIGEST, OLD

IDENTITY = "https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main"
SETTINGS = load_settings(PRODUCT)
FULL_SHA256 = hashlib.sha256(full_of({"bomFormat": "CycloneDX", "components": []})).hexdigest()
REPOSITORY = f"{SETTINGS.registry.destination}/base-zfs"


@pytest.fixture
def published(world, config, token, publish, monkeypatch):
    """The command, in a world in which an image was published; returns its exit code."""
    publish()
    world.restart()
    world.reads.clear()
    monkeypatch.setattr(
        "immutable_base.verify_reference.registry_reader",
        lambda ca, *where: world.open_reader(*where),
    )
    monkeypatch.setattr("immutable_base.process.run", world.run)
    monkeypatch.delenv("SIGSTORE_ID_TOKEN")
    return lambda *arguments: main(["verify", "--config", str(config), *map(str, arguments)])


def test_text_says_what_was_proven_one_fact_a_line(published, config, capsys):
    assert published("base-zfs") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[:9] == [
        f"verified  {REPOSITORY}@{DIGEST}",
        "tag       latest",
        f"signer    {SETTINGS.signing.certificate_identity}",
        "issuer    https://gitlab.com",
        f"signed    2026-11-18T11:06:41Z, for {REPOSITORY}",
        "log       entry 7",
        "job       https://gitlab.com/immutable-base/immutable-base/-/jobs/1",
        "SBOM      attested by the same signer, 0 components",
        f"full SBOM sha256:{FULL_SHA256}, 0 components",
    ]
    assert lines[9:11] == [
        "built     variant-v1, of 1 materials",
        f"          on {base_material(BASE).uri}",
    ]
    assert lines[11].startswith("          by a job without a name, 20")
    assert lines[12] == f"trust     https://fulcio.example, by {config}"
    assert lines[13].strip() == "files that the configuration names"
    assert [line.split()[0] for line in lines[14:]] == ["fulcio", "rekor", "ct"]


def test_json_says_the_same(published, capsys, config, tmp_path):
    assert published(f"{REPOSITORY}:latest", "--format", "json") == 0
    document = json.loads(capsys.readouterr().out)
    trusted, claims = document.pop("trusted"), document.pop("claims")
    full, built = document.pop("full_sbom"), document.pop("provenance")
    assert full.pop("referrer").startswith("sha256:")
    assert full == {"sha256": FULL_SHA256, "components": 0}
    assert built["base"] == BASE.partition("@")[2]
    assert built["builder"] == SETTINGS.signing.certificate_identity
    assert built["byproducts"] == {"full-sbom": FULL_SHA256}
    assert built["parameters"]["layers"] == []
    assert [item["name"] for item in built["materials"]] == ["base"]
    assert [line.partition(" ")[0] for line in trusted] == ["fulcio", "rekor", "ct"]
    assert claims["source_ref"] == "refs/heads/main"
    assert document == {
        "schema_version": 1,
        "image": f"{REPOSITORY}@{DIGEST}",
        "tag": "latest",
        "configuration": str(config),
        "instance": "https://fulcio.example",
        "trust_source": "files that the configuration names",
        "trust_dated": None,
        "signer": SETTINGS.signing.certificate_identity,
        "issuer": "https://gitlab.com",
        "signed_for": REPOSITORY,
        "signed_at": "2026-11-18T11:06:41Z",
        "rekor_log_index": 7,
        "sct_checked": True,
        "sbom_components": [0],
        "skipped": 0,
        "by_key": 0,
    }
    assert published("base-zfs", "--format", "json", "--output", tmp_path / "x.json") == 0
    again = json.loads((tmp_path / "x.json").read_text())
    assert document.items() <= again.items()
    assert capsys.readouterr().out == ""


def test_a_tag_is_resolved_once_and_no_program_is_started(published, world):
    """It may move while the rest is read."""
    assert published("base-zfs:20251124") == 0
    assert world.reads.count("20251124") == 1
    assert [name for name in world.reads[1:] if not name.startswith("sha256")] == []
    assert world.steps() == []


def test_a_digest_needs_no_tag(published, world):
    assert published(f"{REPOSITORY}@{DIGEST}") == 0
    assert not set(world.reads) & set(world.tags)


def test_a_tag_and_a_digest_must_agree(published, world, capsys):
    assert published(f"{REPOSITORY}:latest@{DIGEST}") == 0
    world.yesterday("latest")
    assert published(f"{REPOSITORY}:latest@{DIGEST}") == 15
    assert f"names {OLD}, not {DIGEST}" in capsys.readouterr().err


def test_a_tag_that_is_not_there_is_said_and_nothing_is_verified(published, world, capsys):
    assert published("base-zfs:nothing") == 16
    assert f"there is no image {REPOSITORY}:nothing" in capsys.readouterr().err
    assert world.reads == ["nothing"]


def test_another_signer_than_the_one_asked_for_is_refused(published, capsys):
    assert published("base-zfs", "--certificate-identity", IDENTITY) == 14
    captured = capsys.readouterr()
    assert IDENTITY in captured.err
    assert captured.out == "", "nothing was proven"
    assert published("base-zfs", "--certificate-oidc-issuer", "https://evil.example") == 14


def test_a_registry_that_is_down_is_no_refusal(published, world, capsys):
    world.fail, world.says = "read", "connection refused"
    assert published("base-zfs") == 6
    assert "connection refused" in capsys.readouterr().err


def test_what_could_not_be_proven_is_a_line_of_its_own():
    sboms = [
        Attested(document={"components": [{}] * n}, signed_at=1, log_index=1) for n in (3, 412)
    ]
    signed = Signed(signed_for="r/x", signed_at=0, log_index=5, claims={})
    verified = VerifiedImage(
        repository="r/x", digest="sha256:0", tag=None, signer=Signer(identity="me", issuer="https://i"),
        roots=TrustRoots(instance="https://f", authorities=(), rekor=(), ct=(), source="here", dated=0),
        proof=Verified(
            created="", signature=signed, sboms=tuple(sboms), skipped=2,
            image=ImageWords(created="", base=""), attested=None,
        ),
        more=None,
    )  # fmt: skip
    assert verification_text(verified, configuration=None).splitlines()[4:] == [
        "signed    1970-01-01T00:00:00Z, for r/x",
        "log       entry 5",
        "job       -",
        "SBOM      attested by the same signer, 3 components",
        "trust     https://f, by no configuration",
        "          here, of 1970-01-01T00:00:00Z",
        "note      1 older SBOMs by the same signer are attested too",
        "note      2 items beside the image were skipped",
        "note      no SCT: this Sigstore instance has no CT log",
    ]


def test_the_library_refuses_and_proves_as_the_command_does(published, config, world):
    with pytest.raises(OtherSignerError):
        api.verify("base-zfs", config, identity=IDENTITY)
    with pytest.raises(NoSuchImageError, match="there is no image"):
        api.verify("base-zfs:nothing", config)
    report = api.verify("base-zfs", config)
    assert (report.image, report.sbom_components) == (f"{REPOSITORY}@{DIGEST}", (0,))
