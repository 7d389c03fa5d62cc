"""The witness of the lab's tests objects to what it must, and to what it could not see."""

import stat

import httpx
import pytest

from support.registry_watch import Registry, RegistryError, Witness
from support.web import make_certificate

SIGNED, BARE, FORGED = (f"sha256:{digit * 64}" for digit in "123")
COSIGN = f"""#!/bin/sh
case "$*" in
  *--certificate-identity=https://me*{SIGNED}) exit 0;;
esac
echo "no matching signatures" >&2
exit 12
"""


@pytest.fixture
def registry(tmp_path):
    ca = make_certificate(tmp_path).authority
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/cosign"
    program.write_text(COSIGN)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    config = tmp_path / "immutable-base.toml"
    config.write_text(f"""
        [registry]
        destination = "registry.example/os"
        ca_bundle = "{ca}"
        [signing]
        certificate_identity = "https://me"
        certificate_oidc_issuer = "https://issuer"
        rekor_url = "https://rekor"
    """)
    found = Registry(config, programs=f"{tmp_path / 'bin'}:/usr/bin:/bin")
    found.images = {"latest": SIGNED}
    found.beside = {SIGNED: ("sig", "att"), FORGED: ("sig", "att")}
    found.status = 200
    found.client = httpx.Client(
        base_url="https://registry.example/v2/", transport=httpx.MockTransport(lambda r: serve(found, r))
    )  # fmt: skip
    return found


def serve(registry, request):
    if registry.status != 200:
        return httpx.Response(registry.status)
    if request.url.path == "/v2/os/base/tags/list":
        return httpx.Response(
            200, json={"tags": [*registry.images, f"{SIGNED.replace(':', '-')}.sig"]}
        )
    name = request.url.path.rpartition("/manifests/")[2]
    digest = registry.images.get(name)
    for known, kinds in registry.beside.items():
        if name in [f"{known.replace(':', '-')}.{kind}" for kind in kinds]:
            digest = known
    return (
        httpx.Response(200, headers={"docker-content-digest": digest})
        if digest
        else httpx.Response(404)
    )


def violations(registry):
    witness = Witness(registry, ["base"])
    witness.look()
    assert witness.looks == 1
    return witness.violations


def test_what_cosign_verifies_is_no_violation(registry):
    assert violations(registry) == []
    assert registry.tags("base") == {"latest": SIGNED}


def test_a_tag_on_a_digest_without_signature_is_one(registry):
    registry.images["new"] = BARE
    assert violations(registry) == [f"base:new -> {BARE}: no .sig"]


def test_a_tag_on_a_digest_without_attestation_is_one(registry):
    registry.images["new"] = BARE
    registry.beside[BARE] = ("sig",)
    assert violations(registry) == [f"base:new -> {BARE}: no .att"]


def test_a_signature_that_does_not_verify_is_one(registry):
    """That something is called .sig proves nothing."""
    registry.images["new"] = FORGED
    [violation] = violations(registry)
    assert violation.startswith(f"base:new -> {FORGED}: cosign verify: no matching signatures")


@pytest.mark.parametrize("status", [401, 429, 500, 503])
def test_an_answer_that_says_nothing_is_one(registry, status):
    registry.status = status
    [violation] = violations(registry)
    assert "could not be looked at" in violation
    assert str(status) in violation
    with pytest.raises(RegistryError):
        registry.tags("base")


def test_a_repository_that_is_not_there_has_no_tags(registry):
    registry.status = 404
    assert registry.tags("base") == {}
    assert violations(registry) == []


def test_a_witness_looks_until_it_is_told_to_stop(registry):
    with Witness(registry, ["base"], interval=0.001) as witness:
        while witness.looks < 3:
            pass
    assert witness.violations == []
