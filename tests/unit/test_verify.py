"""What cosign prints is not believed blindly; what it says when it refuses is sorted."""

import base64
import json

import pytest

from immutable_base.errors import CommandError, RemoteError, VerificationError
from immutable_base.process import Result
from immutable_base.tools.cosign import Signer, Sigstore
from immutable_base.verify import CYCLONEDX, Verifier

DIGEST = "sha256:" + "1" * 64
OTHER = "sha256:" + "2" * 64
SIGNER = Signer(
    identity="https://gitlab.com/a/b//.gitlab-ci.yml@refs/heads/main", issuer="https://gitlab.com"
)
SBOM = {"bomFormat": "CycloneDX"}


def signature(digest=DIGEST, subject=SIGNER.identity, issuer=SIGNER.issuer, index=5):
    return {
        "critical": {"image": {"docker-manifest-digest": digest}, "type": "x", "identity": {}},
        "optional": {
            "Subject": subject,
            "Issuer": issuer,
            "Bundle": {"Payload": {"logIndex": index, "body": "x"}},
        },
    }


def envelope(
    digest=DIGEST, kind=CYCLONEDX, predicate=SBOM, payload_type="application/vnd.in-toto+json"
):
    statement = {
        "predicateType": kind,
        "subject": [{"name": "x", "digest": {"sha256": digest.removeprefix("sha256:")}}],
        "predicate": predicate,
    }
    payload = base64.b64encode(json.dumps(statement).encode()).decode()
    return {"payloadType": payload_type, "payload": payload}


def verifier(signatures, envelopes, *, check_sct=True, commands=None):
    def run(command):
        if commands is not None:
            commands.append(command)
        answer = envelopes if command.argv[1] == "verify-attestation" else signatures
        if isinstance(answer, Exception):
            raise answer
        if isinstance(answer, tuple):
            status, words = answer
            return Result(status=status, stdout=b"", stderr_tail=words)
        if command.argv[1] == "verify-attestation":
            text = "".join(json.dumps(item) + "\n" for item in answer)
        else:
            text = json.dumps(answer)
        return Result(status=0, stdout=text.encode(), stderr_tail="")

    sigstore = Sigstore(fulcio_url="https://f", rekor_url="https://r", check_sct=check_sct)
    return Verifier(run=run, sigstore=sigstore, signer=SIGNER)


def test_a_verified_image():
    verified = verifier([signature(), signature(index=9)], [envelope()]).verify("r/x", DIGEST)
    assert verified.pinned == f"r/x@{DIGEST}"
    assert verified.log_index == 9
    assert verified.has_sbom(SBOM)
    assert not verified.has_sbom({"bomFormat": "other"})


@pytest.mark.parametrize(
    "signatures",
    [
        [],
        [signature(digest=OTHER)],
        [signature(subject="https://gitlab.com/evil")],
        [signature(issuer="https://evil.example")],
    ],
)
def test_signatures_that_say_something_else(signatures):
    with pytest.raises(VerificationError, match="none is for"):
        verifier(signatures, [envelope()]).verify("r/x", DIGEST)


@pytest.mark.parametrize(
    "envelopes",
    [[], [envelope(digest=OTHER)], [envelope(kind="https://slsa.dev/provenance/v1")]],
)
def test_attestations_that_are_no_sbom_of_this_image(envelopes):
    with pytest.raises(VerificationError, match="none is an SBOM"):
        verifier([signature()], envelopes).verify("r/x", DIGEST)


@pytest.mark.parametrize(
    ("signatures", "envelopes"),
    [
        ({"not": "a list"}, [envelope()]),
        ([{"critical": {}}], [envelope()]),
        ([signature()], [{"payload": "x"}]),
        ([signature()], [envelope(payload_type="text/plain")]),
        ([signature()], [{"payloadType": "application/vnd.in-toto+json", "payload": "e30"}]),
    ],
)
def test_output_that_is_not_understood_proves_nothing(signatures, envelopes):
    with pytest.raises(VerificationError, match="not understood"):
        verifier(signatures, envelopes).verify("r/x", DIGEST)


@pytest.mark.parametrize(
    ("status", "words", "kind"),
    [
        (10, "Error: no signatures found", VerificationError),
        (12, "Error: no matching signatures: none of the expected identities", VerificationError),
        (1, "Error: no matching attestations: x", VerificationError),
        (1, "Error: none of the attestations matched the predicate type", VerificationError),
        (1, 'Error: Get "https://x/v2/": connection refused', RemoteError),
        (1, "Error: 503 Service Unavailable", RemoteError),
    ],
)
def test_refusals_and_failures_are_different_things(status, words, kind):
    twice = f"{words}\nerror during command execution: {words}"
    with pytest.raises(kind) as caught:
        verifier((status, twice), []).verify("r/x", DIGEST)
    assert str(caught.value).count(words) == 1


def test_a_hanging_service_is_remote():
    failure = CommandError("`cosign` did not end within 240 s")
    with pytest.raises(RemoteError):
        verifier(failure, []).verify("r/x", DIGEST)


@pytest.mark.parametrize("check_sct", [True, False])
def test_the_sct_is_ignored_only_without_a_ct_log(check_sct):
    commands = []
    verified = verifier([signature()], [envelope()], check_sct=check_sct, commands=commands).verify(
        "r/x", DIGEST
    )
    assert verified.sct_checked is check_sct
    for command in commands:
        assert ("--insecure-ignore-sct=true" in command.argv) is not check_sct
        assert f"--certificate-identity={SIGNER.identity}" in command.argv
        assert f"--certificate-oidc-issuer={SIGNER.issuer}" in command.argv


def nested(depth):
    return '{"a":' * depth + "1" + "}" * depth


def test_an_attestation_nested_too_deep_proves_nothing():
    """json.loads would end in a RecursionError, which reads like a bug of ours."""
    payload = json.loads(base64.b64decode(envelope()["payload"]))
    statement = json.dumps({**payload, "predicate": None}).replace("null", nested(3_000))
    payload = base64.b64encode(statement.encode()).decode()
    deep = {"payloadType": "application/vnd.in-toto+json", "payload": payload}
    with pytest.raises(VerificationError, match="is not understood, so nothing is proven"):
        verifier([signature()], [deep]).verify("r/x", DIGEST)
