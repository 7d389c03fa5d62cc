"""cosign: signatures and attestations in the legacy format, which every host can read today.

The two format switches below mean the same to cosign 2.6 and 3: without them cosign 3 would write
bundles, which containers/image (podman, skopeo, bootc) does not verify. Signature and attestation
must have one format: cosign prefers any bundle that it finds to a legacy signature.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.errors import CommandError, RemoteError, VerificationError
from immutable_base.process import Command, Result, Runner
from immutable_base.tools.pins import VERSION_TIMEOUT, Version, json_version

TIMEOUT = 240.0
"""Seconds; cosign itself gives up after three minutes."""
LEGACY = "--new-bundle-format=false"
NO_SIGNING_CONFIG = "--use-signing-config=false"
REFUSALS = frozenset({10, 11, 12, 13})
"""cosign(1), exit codes: image without signature, no such signature tag, no matching signature,
signature without certificate."""
STATUSES = frozenset({0, 1}) | REFUSALS
REFUSED_OUTPUT = ("no matching", "no signatures found", "none of the attestations")
"""cosign ends with 1 as well when it finds attestations of which none verifies, or none at all."""
UNREACHABLE = re.compile(
    r"dial tcp|connection (?:refused|reset)|no such host|i/o timeout|deadline exceeded"
    r"|TLS handshake timeout|unexpected EOF|giving up after|status(?: code)?:? (?:5\d\d|429)\b"
    r"|\b(?:500 Internal|502 Bad|503 Service|504 Gateway|429 Too)"
)
"""A signature that could not be read is not one that was refused: errors of Go's net, net/http and
context, and of cosign's HTTP clients, wherever its output quotes them."""
REPEATED = "error during command execution: "
TOKEN_REFUSED = "error processing the identity token"  # noqa: S105  a message, not a password
"""Fulcio's answer to a token that it does not accept, whatever the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sigstore:
    """An instance of Sigstore, and the trust in it."""

    fulcio_url: str
    rekor_url: str
    check_sct: bool
    """Whether a certificate must prove that a CT log has seen it."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Roots and keys (SIGSTORE_*), and the CA bundle."""


PUBLIC = Sigstore(
    fulcio_url="https://fulcio.sigstore.dev", rekor_url="https://rekor.sigstore.dev", check_sct=True
)
"""The public instance; cosign fetches its roots and keys itself, by TUF."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Signer:
    """Who must have signed."""

    identity: str
    """Subject alternative name of the certificate."""
    issuer: str
    """OIDC issuer that vouched for it."""


def version(run: Runner, program: str = "cosign") -> Version:
    """Return the version of cosign; raises CommandError if it cannot be read."""
    text = run(Command(argv=(program, "version", "--json"), timeout=VERSION_TIMEOUT)).text
    return json_version(program, text, "gitVersion")


def sign(run: Runner, pinned: str, sigstore: Sigstore, token: str) -> None:
    """Sign `repository@sha256:...` keyless with a job's OIDC token.

    Raises VerificationError if Fulcio refuses the token, RemoteError if a service fails.
    """
    argv = ("cosign", "sign", *_signing(sigstore), pinned)
    _with_token(run, argv, sigstore, token, f"{pinned} could not be signed")


def attest(run: Runner, pinned: str, sbom: Path, sigstore: Sigstore, token: str) -> None:
    """Attach a CycloneDX document to `repository@sha256:...` as a signed attestation.

    An earlier SBOM attestation of the same image is replaced. Raises as `sign` does.
    """
    argv = (
        "cosign", "attest", *_signing(sigstore),
        "--type=cyclonedx", f"--predicate={sbom}", "--replace=true", pinned,
    )  # fmt: skip
    _with_token(run, argv, sigstore, token, f"the SBOM of {pinned} could not be attested")


def verify(run: Runner, pinned: str, signer: Signer, sigstore: Sigstore) -> str:
    """Verify the signatures of `repository@sha256:...` and return cosign's JSON.

    Raises VerificationError if there is none by `signer`, RemoteError if a service fails.
    """
    argv = ("cosign", "verify", *_verifying(signer, sigstore), pinned)
    return _verified(run, argv, sigstore, f"{pinned} has no valid signature by {signer.identity}")


def verify_attestation(run: Runner, pinned: str, signer: Signer, sigstore: Sigstore) -> list[str]:
    """Verify the SBOM attestations of `repository@sha256:...` and return DSSE envelopes as JSON.

    Raises as `verify` does.
    """
    argv = (
        "cosign", "verify-attestation", "--type=cyclonedx", *_verifying(signer, sigstore), pinned,
    )  # fmt: skip
    text = _verified(
        run, argv, sigstore, f"{pinned} has no valid SBOM attestation by {signer.identity}"
    )
    return [line for line in text.splitlines() if line.strip()]


def _signing(sigstore: Sigstore) -> tuple[str, ...]:
    flags = (
        "--yes", LEGACY, NO_SIGNING_CONFIG,
        f"--fulcio-url={sigstore.fulcio_url}", f"--rekor-url={sigstore.rekor_url}",
    )  # fmt: skip
    return flags if sigstore.check_sct else (*flags, "--insecure-skip-verify=true")


def _verifying(signer: Signer, sigstore: Sigstore) -> tuple[str, ...]:
    flags = (
        LEGACY,
        "--output=json",
        f"--certificate-identity={signer.identity}",
        f"--certificate-oidc-issuer={signer.issuer}",
        f"--rekor-url={sigstore.rekor_url}",
    )
    return flags if sigstore.check_sct else (*flags, "--insecure-ignore-sct=true")


def _with_token(
    run: Runner, argv: tuple[str, ...], sigstore: Sigstore, token: str, sentence: str
) -> Result:
    """Start cosign with the token in its environment: everybody on the machine can read an argv."""
    env = {**sigstore.environment, "SIGSTORE_ID_TOKEN": token}
    try:
        return run(Command(argv=argv, timeout=TIMEOUT, env=env, secrets=(token,)))
    except CommandError as error:
        output = _output(error.details or error.message)
        if TOKEN_REFUSED in output:
            raise VerificationError(
                f"{sentence}: Fulcio refuses the job's identity token",
                details=output,
                hint="has the token expired, and does this Fulcio trust its issuer and audience?",
            ) from error
        raise RemoteError(
            sentence,
            details=output,
            hint=f"are {sigstore.fulcio_url}, {sigstore.rekor_url} and the registry up? "
            "The tags are where they were; run again",
        ) from error


def _verified(run: Runner, argv: tuple[str, ...], sigstore: Sigstore, sentence: str) -> str:
    command = Command(argv=argv, timeout=TIMEOUT, env=sigstore.environment, ok=STATUSES)
    try:
        result = run(command)
    except CommandError as error:
        raise RemoteError(sentence, details=_output(error.details or error.message)) from error
    if result.status == 0:
        return result.text
    raise _refusal(result)(sentence, details=_output(result.stderr_tail))


def _refusal(result: Result) -> type[VerificationError | RemoteError]:
    """Tell a signature that is not there or not good from one that could not be looked at."""
    if UNREACHABLE.search(result.stderr_tail):
        return RemoteError
    refused = any(text in result.stderr_tail for text in REFUSED_OUTPUT)
    return VerificationError if refused or result.status in REFUSALS else RemoteError


def _output(text: str) -> str:
    """Return cosign's output without the line that repeats its error."""
    lines = text.splitlines()
    return "\n".join(line for line in lines if not line.startswith(REPEATED)) or text
