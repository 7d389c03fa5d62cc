"""cosign 3 as far as its command line goes: which flags there are, and what their defaults do.

It stands behind the `Runner` that features receive. Sources: cosign 3.0 and 3.1, doc/cosign_sign.md,
cosign_attest.md, cosign_verify.md, cosign_verify-attestation.md (flags and defaults), and
cmd/cosign/cli/signcommon/common.go (what does not go together). Of what the two do otherwise it
does what is stricter.
"""

import json
import os
from dataclasses import dataclass, field
from pathlib import Path

from immutable_base.errors import CommandError
from immutable_base.verification.attestation import CYCLONEDX, PROVENANCE

PUBLIC_URLS = {
    "fulcio-url": "https://fulcio.sigstore.dev",
    "rekor-url": "https://rekor.sigstore.dev",
}
CT_LOG = "SIGSTORE_CT_LOG_PUBLIC_KEY_FILE"
ROOTS = ("SIGSTORE_ROOT_FILE", "SIGSTORE_REKOR_PUBLIC_KEY", CT_LOG)
_SIGNING = {
    "yes": "false", "new-bundle-format": "true", "use-signing-config": "true", "tlog-upload": "true",
    "insecure-skip-verify": "false", "trusted-root": "", **PUBLIC_URLS,
}  # fmt: skip
_VERIFYING = {
    "new-bundle-format": "true", "output": "json", "certificate-identity": "", "certificate-oidc-issuer": "",
    "insecure-ignore-sct": "false", "insecure-ignore-tlog": "false", "check-claims": "true",
    "private-infrastructure": "false", "rekor-url": PUBLIC_URLS["rekor-url"],
}  # fmt: skip
FLAGS = {
    "sign": {**_SIGNING, "key": "", "sign-container-identity": ""},
    "attest": {**_SIGNING, "type": "custom", "predicate": "", "replace": "false"},
    "verify": _VERIFYING,
    "verify-attestation": {**_VERIFYING, "type": "custom"},
}
"""Every flag of each command that this stand-in knows, with its default; another one is an error."""


def refused(message, status=1):
    return CommandError(f"`cosign` exited with status {status}", details=f"Error: {message}")


def parse(argv):
    """Return a command's options and its only operand, strictly: an unknown flag is refused."""
    program, verb, *rest = argv
    assert program == "cosign"
    options = dict(FLAGS[verb])
    operands = []
    for argument in rest:
        if argument == "--":
            continue  # What follows is an operand; none of ours begins with a dash.
        name, equals, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--"):
            operands.append(argument)
        elif name not in options:
            raise refused(f"unknown flag: --{name}")
        else:
            # pflag: a boolean flag takes its value after `=` only, and is true without one.
            options[name] = value if equals else "true"
    if len(operands) != 1:
        raise refused(f"accepts 1 arg, received {len(operands)}")
    return verb, options, operands[0]


@dataclass(frozen=True)
class Stored:
    """A signature or an attestation in the registry."""

    legacy: bool
    """In the form that containers/image reads, not a bundle."""
    roots: tuple
    """The files whose private Sigstore made it; None where the public one did."""
    has_sct: bool
    predicate: dict = field(default_factory=dict)
    kind: str = CYCLONEDX
    """The predicate's type."""
    by_key: str = ""
    """The reference of the key that made it, which is not a keyless signature then."""
    identity: str = ""
    """What a signature by a key was made for; empty: the repository."""


@dataclass
class Cosign3:
    """The signatures and attestations of a registry, written and read with cosign 3's flags."""

    signatures: dict = field(default_factory=dict)
    """Digest to the `Stored` of it."""
    attestations: dict = field(default_factory=dict)

    def run(self, command):
        """Carry a command out and return (verb, digest, the `Stored` that a verification accepts)."""
        verb, options, pinned = parse(command.argv)
        digest = pinned.partition("@")[2]
        if verb in ("sign", "attest"):
            self._write(verb, options, digest, self._signed(options, command.env))
            return verb, digest, ()
        kind = self.signatures if verb == "verify" else self.attestations
        found = [it for it in kind.get(digest, ()) if self._holds(it, options, command.env)]
        return verb, digest, tuple(found)

    @staticmethod
    def _signed(options, env):
        config = options["use-signing-config"] == "true"
        if config and any(options[name] != url for name, url in PUBLIC_URLS.items()):
            raise refused("cannot specify service URLs and use signing config")
        bundle = options["new-bundle-format"] == "true"
        if config and not bundle:
            raise refused("must provide --new-bundle-format or --bundle where applicable with --signing-config or --use-signing-config")  # fmt: skip
        if options["yes"] != "true":
            raise refused("should never be reached: a question on a terminal that is not there")
        if options.get("key"):
            if "COSIGN_PASSWORD" not in env:
                raise refused("a password is asked for on a terminal that is not there")
            return Stored(
                legacy=not bundle, roots=(), has_sct=False, by_key=options["key"],
                identity=options["sign-container-identity"],
            )  # fmt: skip
        if not env.get("SIGSTORE_ID_TOKEN"):
            raise refused("error opening browser: no identity token")
        private = options["fulcio-url"] != PUBLIC_URLS["fulcio-url"]
        if private and not env.get("SIGSTORE_ROOT_FILE"):
            raise refused("getting signer: verifying SCT: no root of this Fulcio is known")
        if private and not (env.get(CT_LOG) or options["trusted-root"]):
            # 3.1: the trust that it fetches instead is the public instance's.
            raise refused("error signing bundle: failed to verify log inclusion: not enough verified log entries from transparency log: 0 < 1")  # fmt: skip
        roots = tuple(env.get(name) for name in ROOTS)
        has_sct = not private or env.get(CT_LOG, os.devnull) != os.devnull
        if not has_sct and options["insecure-skip-verify"] != "true":
            raise refused("getting signer: verifying SCT: no SCT in the certificate")
        return Stored(legacy=not bundle, roots=roots, has_sct=has_sct)

    def _write(self, verb, options, digest, stored):
        if verb == "sign":
            self.signatures.setdefault(digest, []).append(stored)
            return
        kind = {"cyclonedx": CYCLONEDX, PROVENANCE: PROVENANCE}.get(options["type"])
        if kind is None:
            raise refused(f"unexpected predicate type: {options['type']}")
        document = json.loads(Path(options["predicate"]).read_text())
        attestation = Stored(stored.legacy, stored.roots, stored.has_sct, document, kind)
        replaced = options["replace"] == "true"
        earlier = self.attestations.get(digest, [])
        kept = [it for it in earlier if not (replaced and it.kind == kind)]
        self.attestations[digest] = [*kept, attestation]

    @staticmethod
    def _holds(stored, options, env):
        legacy = options["new-bundle-format"] == "false"
        sct = stored.has_sct or options["insecure-ignore-sct"] == "true"
        return stored.legacy == legacy and stored.roots == tuple(map(env.get, ROOTS)) and sct
