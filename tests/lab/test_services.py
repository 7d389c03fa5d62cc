"""The lab's registry and signing services, tried with the real cosign as a CI job uses them."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import ssl
import subprocess

import httpx
import pytest
from cryptography import x509

from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.lab import Lab
from immutable_base_lab.services.supervisor import marked_daemons
from support.observers import Recorder

pytestmark = pytest.mark.apart

IDENTITY = "https://gitlab.com/immutable-base/immutable-base//.gitlab-ci.yml@refs/heads/main"


@pytest.fixture(scope="module")
def services(lab) -> Lab:
    return Lab(LabPaths(root=lab.state))


@pytest.fixture(scope="module")
def image(services) -> str:
    """A small image in the registry, by digest."""
    registry = services.surroundings().address("registry")
    context = ssl.create_default_context(cafile=services.paths.trust / "ca.pem")
    with httpx.Client(base_url=f"https://{registry}/v2/test/small/", verify=context) as client:
        layer = os.urandom(512)
        config = json.dumps(
            {"architecture": "amd64", "os": "linux", "rootfs": {"type": "layers", "diff_ids": []}}
        )
        manifest = {
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.manifest.v1+json",
            "config": _push(client, config.encode(), "application/vnd.oci.image.config.v1+json"),
            "layers": [_push(client, layer, "application/vnd.oci.image.layer.v1.tar")],
        }
        body = json.dumps(manifest).encode()
        headers = {"Content-Type": manifest["mediaType"]}
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        client.put(f"manifests/{digest}", content=body, headers=headers).raise_for_status()
    return f"{registry}/test/small@{digest}"


def _push(client: httpx.Client, blob: bytes, media_type: str) -> dict:
    digest = f"sha256:{hashlib.sha256(blob).hexdigest()}"
    place = client.post("blobs/uploads/").raise_for_status().headers["Location"]
    client.put(
        place, params={**httpx.URL(place).params, "digest": digest}, content=blob
    ).raise_for_status()
    return {"mediaType": media_type, "digest": digest, "size": len(blob)}


def cosign(services: Lab, *arguments: str, token: str = "") -> subprocess.CompletedProcess:
    trust = services.paths.trust
    env = {
        "PATH": os.environ["PATH"],
        "HOME": "/nonexistent",
        "SSL_CERT_FILE": str(trust / "ca.pem"),
        "SIGSTORE_ROOT_FILE": str(trust / "fulcio.pem"),
        "SIGSTORE_REKOR_PUBLIC_KEY": str(trust / "rekor.pub"),
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(trust / "ctlog.pub"),
        "SIGSTORE_ID_TOKEN": token,
    }
    program = str(services.paths.programs.program("cosign"))
    return subprocess.run(
        [program, *arguments], env=env, capture_output=True, text=True, timeout=120
    )


def signing(services: Lab) -> tuple[str, ...]:
    at = services.surroundings()
    return (
        "--yes",
        "--new-bundle-format=false",
        f"--fulcio-url={at.url('fulcio')}",
        f"--rekor-url={at.url('rekor')}",
    )


def expecting(services: Lab, identity: str = IDENTITY) -> tuple[str, ...]:
    issuer = services.surroundings().url("issuer")
    return (
        "--new-bundle-format=false",
        f"--certificate-identity={identity}",
        f"--certificate-oidc-issuer={issuer}",
    )


@pytest.fixture(scope="module")
def signed(services, image) -> str:
    """The image, signed and with an attestation, both by a scheduled job on the default branch."""
    done = cosign(services, "sign", *signing(services), image, token=services.token())
    assert done.returncode == 0, done.stderr
    return image


def test_a_signature_of_the_job_verifies_with_nothing_skipped(services, signed):
    done = cosign(services, "verify", *expecting(services), signed)
    assert done.returncode == 0, done.stderr
    assert (
        json.loads(done.stdout)[0]["critical"]["image"]["docker-manifest-digest"]
        == signed.partition("@")[2]
    )


@pytest.mark.parametrize(
    "identity",
    [
        IDENTITY.replace("refs/heads/main", "refs/heads/feature"),
        IDENTITY.replace("gitlab.com/", "gitlab.com/mallory/"),
    ],
)
def test_a_signature_is_refused_for_any_other_identity(services, signed, identity):
    done = cosign(services, "verify", *expecting(services, identity), signed)
    assert done.returncode != 0
    assert "none of the expected identities matched" in done.stderr


def test_an_sbom_attestation_verifies(services, signed, tmp_path):
    sbom = tmp_path / "sbom.json"
    sbom.write_text(json.dumps({"bomFormat": "CycloneDX", "specVersion": "1.6", "components": []}))
    done = cosign(
        services,
        "attest",
        *signing(services),
        "--type=cyclonedx",
        f"--predicate={sbom}",
        signed,
        token=services.token(),
    )
    assert done.returncode == 0, done.stderr
    checked = cosign(
        services, "verify-attestation", "--type=cyclonedx", *expecting(services), signed
    )
    assert checked.returncode == 0, checked.stderr
    other = cosign(services, "verify-attestation", "--type=spdxjson", *expecting(services), signed)
    assert other.returncode != 0


@pytest.mark.parametrize("claims", [{"lifetime": "-60"}, {"audience": "somebody-else"}])
def test_fulcio_refuses_a_token_that_is_not_for_it(services, image, claims):
    done = cosign(services, "sign", *signing(services), image, token=services.token(**claims))
    assert done.returncode != 0
    assert "error processing the identity token" in done.stderr


def test_the_certificate_names_project_ref_and_pipeline(services, image):
    token = services.token(project="acme/other", ref="v1", ref_type="tag", source="push")
    assert cosign(services, "sign", *signing(services), image, token=token).returncode == 0
    identity = "https://gitlab.com/acme/other//.gitlab-ci.yml@refs/tags/v1"
    done = cosign(services, "verify", *expecting(services, identity), image)
    assert done.returncode == 0, done.stderr
    assert build_triggers(services, image) >= {"push"}


def build_triggers(services: Lab, image: str) -> set[str]:
    """Fulcio's extension 1.20, a DER UTF8String, of every certificate beside the image."""
    lines = cosign(services, "download", "signature", image).stdout.splitlines()
    certificates = [
        x509.load_der_x509_certificate(base64.b64decode(json.loads(it)["Cert"]["Raw"]))
        for it in lines
    ]
    wanted = x509.ObjectIdentifier("1.3.6.1.4.1.57264.1.20")
    return {
        it.extensions.get_extension_for_oid(wanted).value.value[2:].decode() for it in certificates
    }


def test_the_registry_is_known_by_the_labs_ca_only(services):
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(
            f"https://{services.surroundings().address('registry')}/v2/",
            verify=ssl.create_default_context(),
        )


@pytest.mark.alone
def test_signatures_outlive_the_services(services, signed):
    """After `down` nothing of the lab is left; after the next `up` old signatures verify."""
    before = [it.ports for it in services.status()]
    services.down(Recorder())
    assert not any(it.alive for it in services.status())
    assert not marked_daemons(services.paths.root)
    services.start_services(Recorder())
    assert [it.ports for it in services.status()] == before
    assert all(it.alive for it in services.status())
    done = cosign(services, "verify", *expecting(services), signed)
    assert done.returncode == 0, done.stderr
