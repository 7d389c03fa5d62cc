"""cosign is asked about every case of the corpus: both agree, but for what a table says and why."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from immutable_base.process import run
from immutable_base.tools import cosign
from immutable_base.tools.pins import Version
from support.attestation_cases import CASES as ATTESTATIONS
from support.forge import IDENTITY, ISSUER, Instance
from support.scene import OK, Scene
from support.signature_cases import CASES as SIGNATURES
from support.web import make_certificate, serving

pytestmark = pytest.mark.apart

STRICTER = {
    "one name only": (
        "two names (S15)", "two names, ours last (S15)", "the same name twice", "a URI and a host name",
        "attested with two names (S15)",
    ),
    "issuer extensions agree, and are DER": (
        "issuers that disagree (S15)", "the issuer extension is not der", "attested with issuers that disagree (S15)",
    ),
    "for code signing, and for nothing else": (
        "for code signing and more", "for anything", "without purpose", "not for signatures", "an authority's own",
        "an intermediate that has name constraints",
    ),
    "the chain beside the signature holds as a whole": (
        "a chain of a thousand", "a chain that is not the certificates", "a chain with words before it",
    ),
    "one certificate, in one spelling": ("the certificate is two", "the certificate in other lines"),
    "made for this repository and tag": (
        "made for another repository (S2)", "made for a repository above (S2)", "made for a repository below (S2)",
        "made for another registry (S2)", "made for no repository (S2)", "made for a repository with a line break", "made for another tag",
    ),
    "the signed text is what the specification says": (
        "another type (S15)", "an empty type (S15)", "no type", "a key more", "no statement (S15)",
        "an empty _type (S15)", "a key more in the statement",
    ),
    "one reading only": (
        "half a character", "the digest twice (S15)", "the digest in another case too (S15)",
        "the digest in another case only", "a key beside critical", "about two digests",
        "about digests in two cases", "a predicate twice", "a predicate in another case",
        "the components in two cases", "the components twice (S15)", "9000 levels (S15)", "half a character in the SBOM",
    ),
    "bundle and entry have exactly their keys": (
        "a key more in the bundle", "a key more in the bundle's payload", "the payload a second time in another case",
        "the entry has a key more", "the entry has a key twice",
    ),
    "the entry is of what is verified": (
        "the entry is an attestation's", "another payload was logged", "another signature was logged",
    ),
    "the envelope has exactly its keys, once (S1)": (
        "the lie first, what was signed in another case (S1)", "the lie in capitals (S1)",
        "the payload twice, the lie first (S1)", "a key more in the envelope", "two signatures in the envelope",
        "a signature with a key twice", "a signature with another case", "the payload with a line break",
    ),
    "an SBOM is a CycloneDX document": (
        "the SBOM is empty (S15)", "the SBOM is null", "the SBOM is a list", "the SBOM is a text",
        "the SBOM is of another format", "the components are null (S15)", "the components are a text",
        "the components are an object", "the components are a list of numbers", "the components are a list of lists",
    ),
}  # fmt: skip
"""What we demand and cosign does not, and the cases that cosign therefore accepts alone; the reasons are in
docs/explanation/trust-model.md."""
MORE_PATIENT = {
    "bad neighbours are skipped": (
        "a thousand junk layers before the good one", "one layer that makes cosign panic beside the good one",
        "layers of every wrong form beside the good one", "junk beside the good one (S5)",
    ),
    "either issuer extension": ("only the new issuer extension",),
    "the trusted root need not lie beside the signature": ("an intermediate without the root",),
}  # fmt: skip
"""What we accept and cosign refuses."""
DIFFERENT = {
    name for table in (STRICTER, MORE_PATIENT) for names in table.values() for name in names
}
AGREED_SINCE_3 = {
    "one layer that makes cosign panic beside the good one", "junk beside the good one (S5)",
    "a key more in the statement", "about two digests", "a predicate twice", "a predicate in another case",
    "the SBOM is a list", "the SBOM is a text", "the components twice (S15)", "half a character in the SBOM",
}  # fmt: skip
"""Of these, what cosign 3 decides as we do, as 3.0.6 and 3.1.3 were seen to: it looks at the type of a log entry's
body, and reads statements as protobuf's JSON, without keys that are unknown or stand twice. Source: sigstore/cosign,
pkg/cosign/verify.go (VerifyBundle) and pkg/cosign/attestation/attestation.go (UnmarshalJSON)."""


@pytest.fixture(scope="module")
def surroundings(lab, tmp_path_factory):
    """A registry and two Sigstores of the tests' own; cosign is the lab's, or the one that is named."""
    certificate = make_certificate(tmp_path_factory.mktemp("tls"))
    with serving(certificate) as site:
        yield site, certificate, Instance(), Instance(), lab.env["PATH"]


@pytest.fixture(scope="module")
def different(lab):
    """The cases that this cosign decides otherwise than we do."""
    program = shutil.which("cosign", path=lab.env["PATH"]) or "cosign"
    is_3 = cosign.version(run, program) >= Version.parse("3.0")
    return DIFFERENT - AGREED_SINCE_3 if is_3 else DIFFERENT


def cosign_accepts(scene: Scene, verb: tuple[str, ...], programs: str) -> bool:
    argv = [
        shutil.which("cosign", path=programs) or "cosign", *verb, "--new-bundle-format=false",
        f"--certificate-identity={IDENTITY}", f"--certificate-oidc-issuer={ISSUER}", "--offline=true",
        f"{scene.repository}@{scene.digest}",
    ]  # fmt: skip
    env = {
        "PATH": programs, "HOME": str(scene.folder), "SSL_CERT_FILE": str(scene.authority),
        "SIGSTORE_ROOT_FILE": str(scene.folder / "fulcio_root.pem"),
        "SIGSTORE_REKOR_PUBLIC_KEY": str(scene.folder / "rekor_key.pem"),
        "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": str(scene.folder / "ct_log_key.pem"), "NO_PROXY": "127.0.0.1",
    }  # fmt: skip
    done = subprocess.run(argv, env=env, capture_output=True, timeout=60)
    return done.returncode == 0


def opinions(spoil, verb, surroundings, folder):
    site, certificate, instance, foreign, programs = surroundings
    scene = Scene(site, instance, folder, certificate.authority)
    scene.foreign = foreign
    spoil(scene)
    ours = scene.verify().code == OK
    return ours, cosign_accepts(scene, verb, programs)


def check(ours, theirs, name, different):
    if name in different:
        assert theirs != ours, "no difference any more: remove it from the table"
        patient = any(name in names for names in MORE_PATIENT.values())
        assert ours is patient
    else:
        assert theirs == ours


def test_the_tables_name_cases_that_there_are():
    assert {*SIGNATURES, *ATTESTATIONS} >= DIFFERENT >= AGREED_SINCE_3


@pytest.mark.parametrize("name", SIGNATURES)
def test_both_agree_on_signatures(name, surroundings, different, tmp_path):
    ours, theirs = opinions(SIGNATURES[name][0], ("verify",), surroundings, tmp_path)
    check(ours, theirs, name, different)


@pytest.mark.parametrize("name", ATTESTATIONS)
def test_both_agree_on_attestations(name, surroundings, different, tmp_path):
    verb = ("verify-attestation", "--type=cyclonedx")
    ours, theirs = opinions(ATTESTATIONS[name][0], verb, surroundings, tmp_path)
    check(ours, theirs, name, different)
