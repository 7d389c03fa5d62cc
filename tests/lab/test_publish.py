"""Publishing against the lab's real registry, Fulcio, Rekor and CT log; what fails moves no tag."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import json
import uuid

import pytest
import tenacity

from immutable_base.errors import (
    BrokenProofError,
    MissingFullSbomError,
    NoSuchImageError,
    NotSignedError,
    OtherFullSbomError,
    OtherSignerError,
    RemoteError,
    SwappedFullSbomError,
    UnavailableError,
    VerificationError,
)
from immutable_base.model.publish import PublicationStatus
from immutable_base.model.sbom import full_sbom_path
from immutable_base.process import run
from immutable_base.run.publisher import publisher_of
from immutable_base.tools import cosign, skopeo
from immutable_base.verification.complete.referrers import ReferrersRegistry
from immutable_base.verification.deadline import Deadline
from immutable_base.verify import NO_CT_LOG
from immutable_base_lab.core import ports
from immutable_base_lab.services.daemons import start_daemon, stop_daemon
from immutable_base_lab.services.service import http_probe
from support.complete import artifact, full_of, referrers, write_sboms
from support.publications import (
    PROJECT,
    TAGS,
    VARIANT,
    Image,
    Publications,
    answering,
    nobody_listens,
    publications_in,
    tags_stay,
)
from support.registry_watch import Witness

pytestmark = pytest.mark.apart


@pytest.fixture
def publisher(lab, tmp_path, monkeypatch) -> Publications:
    monkeypatch.setenv("PATH", lab.env["PATH"])
    return publications_in(lab, tmp_path)


def full_of_file(image: Image) -> bytes:
    return full_sbom_path(image.sbom).read_bytes()


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch):
    """What fails here fails for ever: it is not waited for as in earnest."""
    monkeypatch.setattr("immutable_base.publish.patience.SECONDS", 0.0)


@pytest.fixture
def published(publisher, monkeypatch) -> Image:
    """Yesterday's image, to which the tags point."""
    image = publisher.image("yesterday")
    publisher.publish(image, monkeypatch)
    return image


def test_published_then_unchanged(publisher, monkeypatch):
    image = publisher.image("tonight")
    with Witness(publisher.registry(), [VARIANT]) as witness:
        publication = publisher.publish(image, monkeypatch)
    assert not witness.violations
    assert publication.status is PublicationStatus.PUBLISHED
    assert publication.signer == publisher.context.settings.signing.certificate_identity
    assert publication.rekor_log_index is not None
    assert publication.notes == ()
    assert publisher.tags() == dict.fromkeys(TAGS, image.digest)
    again = publisher.publish(image, monkeypatch)
    assert again.status is PublicationStatus.UNCHANGED
    assert again.rekor_log_index == publication.rekor_log_index


def test_push_by_digest_makes_no_tag(publisher):
    image = publisher.image("tonight")
    environment = publisher.context.tls.environment
    skopeo.push(run, image.layout, f"{publisher.repository}@{image.digest}", environment)
    assert publisher.tags() == {}
    assert publisher.registry().digest(VARIANT, image.digest) == image.digest


def test_another_sbom_replaces_the_attestation(publisher, published, monkeypatch):
    document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}
    write_sboms(published.sbom, document)
    publication = publisher.publish(published, monkeypatch)
    assert publication.status is PublicationStatus.PUBLISHED
    verified = publisher.verifier().verify(publisher.repository, published.digest)
    assert [sbom.document for sbom in verified.proof.sboms] == [
        json.loads(published.sbom.read_text())
    ]
    assert len(verified.complete.provenances) == 1, "replaced as well"
    assert verified.complete.full_sbom.raw == full_of(document)


def test_the_command_agrees(lab, publisher, published):
    reference = f"{publisher.repository}:latest"
    good = lab.product("verify", reference, "--format", "json")
    assert good.returncode == 0, good.stderr
    report = json.loads(good.stdout)
    assert report["image"] == f"{publisher.repository}@{published.digest}"
    assert report["signed_for"] == publisher.repository
    assert report["claims"]["source_ref"] == "refs/heads/main"
    assert report["skipped"] == 0
    assert report["provenance"]["invocation"] == report["claims"]["job_url"]
    assert report["provenance"]["builder"] == report["signer"]
    assert report["full_sbom"]["sha256"] == hashlib.sha256(full_of_file(published)).hexdigest()
    other = "https://gitlab.com/evil/evil//.gitlab-ci.yml@refs/heads/main"
    bad = lab.product("verify", reference, "--certificate-identity", other)
    assert bad.returncode == OtherSignerError.exit_code
    assert publisher.context.settings.signing.certificate_identity in bad.stderr
    none = lab.product("verify", f"{publisher.repository}:nothing")
    assert none.returncode == NoSuchImageError.exit_code


def cosign_agrees(publisher: Publications, digest: str, kind: str) -> str:
    """Return what cosign says of an attestation of a kind, under our trust; it must hold."""
    registry = publisher.registry()
    pinned = f"{registry.host}/{registry.path}/{VARIANT}@{digest}"
    done = registry.cosign("verify-attestation", f"--type={kind}", pinned)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_cosign_finds_sbom_and_provenance_and_is_not_misled_by_the_full_sbom(publisher, published):
    payloads = {}
    for kind in ("cyclonedx", "slsaprovenance1"):
        (line,) = cosign_agrees(publisher, published.digest, kind).splitlines()
        payloads[kind] = json.loads(base64.b64decode(json.loads(line)["payload"]))
    assert publisher.registry().objection(VARIANT, published.digest) is None
    stated = payloads["slsaprovenance1"]
    assert stated["predicateType"] == "https://slsa.dev/provenance/v1"
    assert stated["subject"][0]["digest"] == {"sha256": published.digest[7:]}
    written = published.sbom.with_name(f"{published.sbom.name}.provenance.json")
    assert stated["predicate"] == json.loads(written.read_text()), "not a key otherwise"


def repository(publisher: Publications, deadline: float = 30) -> ReferrersRegistry:
    """Return the repository as somebody who may write to it has it."""
    reader = publisher.verifier().open_reader(publisher.repository, Deadline(seconds=deadline))
    assert isinstance(reader, ReferrersRegistry)
    return reader


def push_artifact(publisher: Publications, image: str, full: bytes) -> dict:
    """Push a full SBOM beside an image; returns its entry in a list of referrers."""
    manifest, entry = artifact(image, full)
    folder = publisher.folder / f"artifact-{entry['digest'][7:19]}"
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    for raw in (manifest, full, b"{}"):
        (blobs / hashlib.sha256(raw).hexdigest()).write_bytes(raw)
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    pinned = f"{publisher.repository}@{entry['digest']}"
    skopeo.push(run, folder, pinned, publisher.context.tls.environment)
    return entry


def test_a_full_sbom_that_is_lost_swapped_or_of_another_image_is_told_apart(publisher, published):
    """The lab's registry keeps no lists of referrers: the client's, under a tag, is replaced."""
    tag, full = published.digest.replace(":", "-"), full_of_file(published)
    kind = "application/vnd.oci.image.index.v1+json"
    other = publisher.image("another")
    skopeo.push(
        run, other.layout, f"{publisher.repository}@{other.digest}",
        publisher.context.tls.environment,
    )  # fmt: skip
    cases = {
        MissingFullSbomError: [],
        SwappedFullSbomError: [push_artifact(publisher, published.digest, b'{"x": 1}')],
        OtherFullSbomError: [push_artifact(publisher, other.digest, full)],
    }
    good = repository(publisher).manifest(tag)
    for error, entries in cases.items():
        repository(publisher).put_manifest(tag, referrers(*entries), kind)
        with pytest.raises(error):
            publisher.verifier().verify(publisher.repository, published.digest)
    repository(publisher).put_manifest(tag, good, kind)
    publisher.verifier().verify(publisher.repository, published.digest)


def test_a_publication_puts_back_a_full_sbom_that_somebody_took_away(
    publisher, published, monkeypatch
):
    tag, kind = published.digest.replace(":", "-"), "application/vnd.oci.image.index.v1+json"
    others = push_artifact(publisher, published.digest, b'{"somebody": "else"}')
    repository(publisher).put_manifest(tag, referrers(others), kind)
    assert publisher.publish(published, monkeypatch).status is PublicationStatus.PUBLISHED
    listed = json.loads(repository(publisher).manifest(tag))["manifests"]
    assert others in listed, "what others have put there stays"
    publisher.verifier().verify(publisher.repository, published.digest)


def test_unsigned_digest_is_refused(publisher, published):
    image = publisher.image("unsigned")
    environment = publisher.context.tls.environment
    skopeo.push(run, image.layout, f"{publisher.repository}@{image.digest}", environment)
    with pytest.raises(NotSignedError, match="has no signature"):
        publisher.verifier().verify(publisher.repository, image.digest)


def test_signature_of_another_image_is_refused(publisher, published):
    image = publisher.image("unsigned")
    environment = publisher.context.tls.environment
    skopeo.push(run, image.layout, f"{publisher.repository}@{image.digest}", environment)
    for kind in ("sig", "att"):
        source, target = (
            f"{publisher.repository}:{digest.replace(':', '-')}.{kind}"
            for digest in (published.digest, image.digest)
        )
        skopeo.move_tag(run, source, target, environment)
    with pytest.raises(BrokenProofError, match="the signature is of another image"):
        publisher.verifier().verify(publisher.repository, image.digest)


def test_an_image_copied_to_another_repository_with_its_signatures_is_refused(publisher, published):
    environment = publisher.context.tls.environment
    other = publisher.repository.replace("/base", "/fedora-base")
    for reference in (
        f"@{published.digest}",
        *(f":{published.digest.replace(':', '-')}.{kind}" for kind in ("sig", "att")),
    ):
        target = f"{other}:latest" if reference.startswith("@") else other + reference
        skopeo.move_tag(run, publisher.repository + reference, target, environment)
    with pytest.raises(BrokenProofError, match="not for this repository"):
        publisher.verifier().verify(other, published.digest)


def test_an_instance_without_ct_log_is_signed_for_and_no_other_trust_is_fetched(
    publisher, monkeypatch
):
    """cosign 3.1 refuses what the trust that it would fetch, the public instance's, does not vouch for."""
    commands = []

    def noting(command):
        done = run(command)
        commands.append((command.argv[:2], done.stderr_tail))
        return done

    without = publisher.with_settings(signing={"ct_log_key": "", "without_ct_log": True})
    context = dataclasses.replace(without, run=noting)
    publication = publisher.publish(publisher.image("tonight"), monkeypatch, context=context)
    assert publication.notes == (NO_CT_LOG,)
    written = [words for argv, words in commands if argv == ("cosign", "attest")]
    assert written
    assert not any("TUF" in words for words in written)


def test_signature_by_another_branch_is_refused(publisher):
    image = publisher.image("branch")
    pinned = f"{publisher.repository}@{image.digest}"
    skopeo.push(run, image.layout, pinned, publisher.context.tls.environment)
    token = publisher.services.token(project=PROJECT, ref="topic")
    cosign.sign(run, pinned, publisher_of(publisher.context).sigstore, token)
    with pytest.raises(OtherSignerError, match="refs/heads/topic"):
        publisher.verifier().verify(publisher.repository, image.digest)


def test_a_certificate_without_proof_from_the_ct_log_is_refused(lab, publisher, published):
    other = publisher.with_settings(signing={"ct_log_key": str(lab.state / "trust" / "rekor.pub")})
    with pytest.raises(BrokenProofError, match="no trusted CT log"):
        publisher.verifier(other).verify(publisher.repository, published.digest)


def test_token_of_another_branch_writes_nothing(publisher, published, monkeypatch):
    image = publisher.image("tonight")
    with (
        tags_stay(publisher, published),
        pytest.raises(VerificationError, match="another pipeline"),
    ):
        publisher.publish(image, monkeypatch, ref="topic")
    assert publisher.registry().digest(VARIANT, image.digest) is None


def test_expired_token_is_refused_by_us_and_by_fulcio(publisher, published, monkeypatch):
    image = publisher.image("tonight")
    with (
        tags_stay(publisher, published),
        pytest.raises(VerificationError, match=r"^the identity token expired \d+ s ago") as caught,
    ):
        publisher.publish(image, monkeypatch, lifetime="-300")
    assert "Fulcio" not in str(caught.value), "refused by us, before anything is written"
    assert publisher.registry().digest(VARIANT, image.digest) is None
    token = publisher.services.token(project=PROJECT, lifetime="-10")
    pinned = f"{publisher.repository}@{published.digest}"
    with pytest.raises(VerificationError, match="Fulcio refuses") as caught:
        cosign.sign(run, pinned, publisher_of(publisher.context).sigstore, token)
    assert token not in str(caught.value)


@pytest.mark.parametrize("service", ["fulcio_url", "rekor_url"])
def test_signing_service_down(publisher, published, monkeypatch, service):
    context = publisher.with_settings(signing={service: nobody_listens()})
    with tags_stay(publisher, published), pytest.raises(RemoteError) as caught:
        publisher.publish(publisher.image("tonight"), monkeypatch, context=context)
    assert "connection refused" in str(caught.value)


@pytest.mark.parametrize("service", ["fulcio_url", "rekor_url"])
def test_signing_service_answers_500(publisher, published, monkeypatch, service):
    with answering(500, b"on fire") as url:
        context = publisher.with_settings(signing={service: url})
        with tags_stay(publisher, published), pytest.raises(RemoteError) as caught:
            publisher.publish(publisher.image("tonight"), monkeypatch, context=context)
    # The last is all that cosign 3.1 says of such a Fulcio.
    words = ("500", "giving up", "read on closed response body")
    assert any(word in str(caught.value) for word in words)
    assert isinstance(caught.value, UnavailableError), "it would be asked again"


def test_registry_refuses_the_push(lab, publisher, published, monkeypatch, tmp_path):
    """A second registry over the same data, in read-only mode."""
    port = ports.choose(["x"], {})["x"]
    configuration = json.loads((lab.state / "services" / "registry.yml").read_text())
    configuration["storage"]["maintenance"] = {"readonly": {"enabled": True}}
    configuration["http"]["addr"] = f"127.0.0.1:{port}"
    file = tmp_path / "registry.yml"
    file.write_text(json.dumps(configuration))
    daemon = start_daemon(
        (str(lab.state / "tools/bin/registry"), "serve", str(file)),
        log_file=tmp_path / "registry.log",
        env={"OTEL_TRACES_EXPORTER": "none"},
    )
    try:
        wait_for(http_probe(f"https://127.0.0.1:{port}/v2/", ca=lab.state / "trust" / "ca.pem"))
        path = publisher.context.settings.registry.destination.partition("/")[2]
        place = {"destination": f"127.0.0.1:{port}/{path}"}
        context = publisher.with_settings(registry=place)
        with tags_stay(publisher, published), pytest.raises(RemoteError) as caught:
            publisher.publish(publisher.image("tonight"), monkeypatch, context=context)
        assert "the registry did not take" in str(caught.value)
        assert "405" in str(caught.value)
    finally:
        stop_daemon(daemon)


def test_registry_down(publisher, monkeypatch):
    address = nobody_listens().removeprefix("http://")
    context = publisher.with_settings(registry={"destination": f"{address}/x"})
    with pytest.raises(RemoteError, match="cannot be looked up") as caught:
        publisher.publish(publisher.image("tonight"), monkeypatch, context=context)
    assert "connection refused" in str(caught.value)


def wait_for(probe) -> None:
    retry = tenacity.retry(stop=tenacity.stop_after_delay(10), wait=tenacity.wait_fixed(0.1))
    retry(probe)()


SIMPLE = "application/vnd.dev.cosign.simplesigning.v1+json"
COSIGN = "dev.cosignproject.cosign/signature"
BUNDLE = "dev.sigstore.cosign/bundle"
PANICS = {COSIGN: "MEUCIQ==", BUNDLE: '{"SignedEntryTimestamp": "", "Payload": {"body": 7}}'}


def lay_beside(publisher: Publications, digest: str, kind: str, annotations: list[dict]) -> str:
    """Push what anybody with push rights can lay beside an image; returns its tag."""
    raw, config = b'{"junk": true}', b"{}"
    layers = [
        {"mediaType": SIMPLE, **blob_of(raw), "annotations": annotation}
        for annotation in annotations
    ]
    manifest = {
        "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
        "config": {"mediaType": "application/vnd.oci.image.config.v1+json", **blob_of(config)}, "layers": layers,
    }  # fmt: skip
    text = json.dumps(manifest).encode()
    folder = publisher.folder / f"beside-{uuid.uuid4().hex}"
    blobs = folder / "blobs/sha256"
    blobs.mkdir(parents=True)
    for content in (raw, config, text):
        (blobs / hashlib.sha256(content).hexdigest()).write_bytes(content)
    entry = {"mediaType": manifest["mediaType"], **blob_of(text)}
    (folder / "oci-layout").write_text('{"imageLayoutVersion":"1.0.0"}')
    (folder / "index.json").write_text(json.dumps({"schemaVersion": 2, "manifests": [entry]}))
    tag = f"{digest.replace(':', '-')}.{kind}"
    skopeo.push(run, folder, f"{publisher.repository}:{tag}", publisher.context.tls.environment)
    return tag


def blob_of(raw: bytes) -> dict:
    return {"digest": f"sha256:{hashlib.sha256(raw).hexdigest()}", "size": len(raw)}


THOUSAND = [{COSIGN: str(number)} for number in range(1000)]
JUNK = (pytest.param(THOUSAND, marks=pytest.mark.long), [PANICS])


@pytest.mark.parametrize("junk", JUNK, ids=["a thousand", "one of a wrong form"])
def test_what_lies_beside_an_image_does_not_keep_the_night_from_signing(
    publisher, monkeypatch, junk
):
    image = publisher.image("tonight")
    lay_beside(publisher, image.digest, "sig", junk)
    assert publisher.publish(image, monkeypatch).status is PublicationStatus.PUBLISHED
    assert publisher.tags() == dict.fromkeys(TAGS, image.digest)
    assert publisher.publish(image, monkeypatch).status is PublicationStatus.UNCHANGED


@pytest.mark.parametrize("junk", JUNK, ids=["a thousand", "one of a wrong form"])
def test_what_stops_cosign_from_attesting_is_named_with_who_must_remove_it(
    publisher, published, monkeypatch, junk
):
    """cosign reads what is there before it adds to it."""
    image = publisher.image("tonight")
    tag = lay_beside(publisher, image.digest, "att", junk)
    with tags_stay(publisher, published), pytest.raises(RemoteError) as caught:
        publisher.publish(image, monkeypatch)
    assert "must delete that tag" in caught.value.hint
    assert tag in caught.value.hint


def test_a_bundle_of_somebodys_cosign_3_is_no_matter(publisher, monkeypatch):
    image = publisher.image("tonight")
    bundle = {
        **push_artifact(publisher, image.digest, b'{"somebody": "else"}'),
        "artifactType": "application/vnd.dev.sigstore.bundle.v0.3+json",
    }
    tag, kind = image.digest.replace(":", "-"), "application/vnd.oci.image.index.v1+json"
    repository(publisher).put_manifest(tag, referrers(bundle), kind)
    assert publisher.publish(image, monkeypatch).status is PublicationStatus.PUBLISHED
    publisher.verifier().verify(publisher.repository, image.digest)
    assert bundle in json.loads(repository(publisher).manifest(tag))["manifests"]
