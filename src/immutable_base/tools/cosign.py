"""cosign, the signer: signatures and attestations in the legacy format, which hosts can read today.

The two format switches below mean the same to cosign 2.6 and 3 when signing: without them cosign 3
would write bundles, which containers/image (podman, skopeo, bootc) does not verify. From 3.1 on it
makes a bundle all the same and takes it apart: the chain beside the certificate is empty. Nothing
is verified with cosign: see `immutable_base.verification`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.errors import (
    CommandError,
    ConfigurationError,
    HostError,
    VerificationError,
)
from immutable_base.process import Command, Result, Runner
from immutable_base.tools.outages import remote_kind
from immutable_base.tools.pins import VERSION_TIMEOUT, Version, json_version, load_pins

TIMEOUT = 240.0
"""Seconds; cosign itself gives up after three minutes."""
LEGACY = "--new-bundle-format=false"
NO_SIGNING_CONFIG = "--use-signing-config=false"
NO_CT_LOG = {"SIGSTORE_CT_LOG_PUBLIC_KEY_FILE": os.devnull}
"""For an instance without CT log: where the variable is empty, cosign fetches the public instance's
trust, and from 3.1 on refuses what that does not vouch for. No key is read from it when signing.
Source: cosign v3.1.3, cmd/cosign/cli/signcommon (LoadTrustedMaterialAndSigningConfig)."""
SBOM = "cyclonedx"
"""cosign's name of the type of an SBOM attestation."""
REPEATED = "error during command execution: "
SECRET = re.compile("KEY$|PASSWORD|PIN|SECRET|TOKEN$")
"""Names of variables whose values are shown nowhere."""
TOKEN_REFUSED = "error processing the identity token"  # noqa: S105  a message, not a password
"""Fulcio's answer to a token that it does not accept, whatever the reason."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sigstore:
    """An instance of Sigstore, and the trust in it."""

    fulcio_url: str
    rekor_url: str
    check_sct: bool
    """Whether a certificate must prove that a CT log has seen it."""
    trusted_root: Path | None = None
    """A trusted_root.json that says the same as roots and keys would."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """Roots and keys (SIGSTORE_*), and the CA bundle."""


def version(run: Runner, program: str = "cosign") -> Version:
    """Return the version of cosign; raises CommandError if it cannot be read."""
    text = run(Command(argv=(program, "version", "--json"), timeout=VERSION_TIMEOUT)).text
    return json_version(program, text, "gitVersion")


def require_accepted(run: Runner) -> None:
    """Refuse to sign with a cosign that the product does not work with.

    Raises HostError with the versions that it does, CommandError if the version cannot be read.
    """
    found, pin = version(run), load_pins()["cosign"]
    if not pin.accepts(found):
        raise HostError(
            f"cosign {found} is not {pin.accepted_text}: {pin.reason}",
            hint=f"`immutable-base tools cosign` builds {pin.number}",
        )


def sign(run: Runner, pinned: str, sigstore: Sigstore, token: str) -> None:
    """Sign `repository@sha256:...` keyless with a job's OIDC token.

    Raises VerificationError if Fulcio refuses the token, RemoteError if a service fails.
    """
    argv = ("cosign", "sign", *_signing(sigstore), "--", pinned)
    _with_token(run, argv, sigstore, token, f"{pinned} could not be signed")


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageKey:
    """A key that signs beside the keyless identity."""

    reference: str
    """As cosign names it, or `env://VARIABLE` where the variable holds the path of a file."""
    public: str
    """PEM of the public key that hosts accept."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Passwords and logins of the key's service; with `env://` the key itself."""

    @property
    def argument(self) -> str:
        """The value of `--key`. A variable of GitLab's type "file" holds the path of a file."""
        value = self.environment.get(self.reference.removeprefix("env://"), "")
        is_file = self.reference.startswith("env://") and value.startswith("/")
        return value if is_file else self.reference


def sign_with_key(
    run: Runner, pinned: str, sigstore: Sigstore, key: ImageKey, *, identity: str
) -> None:
    """Add a signature of `repository@sha256:...` by a key, made for `identity`: `repository:tag`.

    The log gets an entry of it as well, so that whoever watches it sees every use of the key.
    Raises RemoteError if the key's service, the log or the registry fails.
    """
    argv = (
        "cosign", "sign", "--yes", LEGACY, NO_SIGNING_CONFIG, f"--rekor-url={sigstore.rekor_url}",
        f"--key={key.argument}", f"--sign-container-identity={identity}", "--", pinned,
    )  # fmt: skip
    try:
        run(_with_key(argv, key, sigstore.environment))
    except CommandError as error:
        output = _output(error.details or error.message)
        raise remote_kind(output)(
            f"{pinned} could not be signed with the key for {identity}",
            details=output,
            hint=f"are the key's service, {sigstore.rekor_url} and the registry up? "
            "The tags are where they were; run again",
        ) from error


def public_key(run: Runner, key: ImageKey) -> str:
    """Return the public half of the key that would sign (PEM).

    Raises ConfigurationError if there is no such key, or its password is wrong.
    """
    try:
        argv = ("cosign", "public-key", f"--key={key.argument}")
        return run(_with_key(argv, key, {})).text
    except CommandError as error:
        raise ConfigurationError(
            f"the key {key.reference} of signing.keys cannot be used",
            details=_output(error.details or error.message),
            hint="docs/how-to/sign-with-a-key.md says what each kind of key needs",
        ) from error


def _with_key(argv: tuple[str, ...], key: ImageKey, env: Mapping[str, str]) -> Command:
    # Without COSIGN_PASSWORD cosign would ask a terminal that is not there.
    env = {"COSIGN_PASSWORD": "", **env, **key.environment}
    secrets = tuple(
        value for name, value in key.environment.items() if value and SECRET.search(name)
    )
    return Command(argv=argv, timeout=TIMEOUT, env=env, secrets=secrets)


def attest(
    run: Runner, pinned: str, kind: str, predicate: Path, sigstore: Sigstore, token: str
) -> None:
    """Attach a document to `repository@sha256:...` as a signed attestation.

    `kind` is its type, `SBOM` or a URI: under its own name for SLSA's cosign spells some keys
    otherwise. An earlier attestation of the same image and type is replaced. Raises as `sign` does.
    """
    argv = (
        "cosign", "attest", *_signing(sigstore),
        f"--type={kind}", f"--predicate={predicate}", "--replace=true", "--", pinned,
    )  # fmt: skip
    _with_token(run, argv, sigstore, token, f"{predicate.name} of {pinned} could not be attested")


def _signing(sigstore: Sigstore) -> tuple[str, ...]:
    flags: tuple[str, ...] = (
        "--yes", LEGACY, NO_SIGNING_CONFIG,
        f"--fulcio-url={sigstore.fulcio_url}", f"--rekor-url={sigstore.rekor_url}",
    )  # fmt: skip
    if sigstore.trusted_root is not None:
        flags += (f"--trusted-root={sigstore.trusted_root}",)
    return flags if sigstore.check_sct else (*flags, "--insecure-skip-verify=true")


def _with_token(
    run: Runner, argv: tuple[str, ...], sigstore: Sigstore, token: str, sentence: str
) -> Result:
    """Start cosign with the token in its environment: everybody on the machine can read an argv."""
    no_log = {} if sigstore.check_sct else NO_CT_LOG
    env = {**sigstore.environment, **no_log, "SIGSTORE_ID_TOKEN": token}
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
        raise remote_kind(output)(
            sentence,
            details=output,
            hint=f"are {sigstore.fulcio_url}, {sigstore.rekor_url} and the registry up? "
            "The tags are where they were; run again",
        ) from error


def _output(text: str) -> str:
    """Return cosign's output without the line that repeats its error."""
    lines = text.splitlines()
    return "\n".join(line for line in lines if not line.startswith(REPEATED)) or text
