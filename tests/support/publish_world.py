"""A registry and a Sigstore made of dictionaries, behind the `Runner` that features receive.

cosign's flags are those of cosign 3, read strictly (support.cosign3). What the real programs do is
tested in tests/lab/test_publish.py.
"""

import base64
import hashlib
import json
import time

from immutable_base.errors import CommandError
from immutable_base.process import Result
from support.cosign3 import Cosign3, Stored

MANIFEST = b'{"schemaVersion": 2, "config": {}}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
OLD_MANIFEST = b'{"schemaVersion": 2, "old": true}'
OLD = f"sha256:{hashlib.sha256(OLD_MANIFEST).hexdigest()}"
WRITES = ("push", "sign", "attest", "tag")
"""Steps that change what others see."""


def token_for(settings, **changes):
    claims = {
        "iss": settings.signing.certificate_oidc_issuer,
        "aud": "sigstore",
        "exp": time.time() + 600,
        "ci_config_ref_uri": settings.signing.certificate_identity.removeprefix("https://"),
        **changes,
    }
    given = {key: value for key, value in claims.items() if value is not None}
    body = base64.urlsafe_b64encode(json.dumps(given).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{body}.c2lnbmF0dXJl"


class Killed(BaseException):
    """SIGKILL: nothing of the process runs any more, no handler either."""


class World:
    """Answers skopeo and cosign; `fail` names the step that shall fail, with the output `says`.

    `stop_at` is the number of the command (from 0) at which the run is broken off: by SIGKILL, or,
    with `interrupt`, by a signal that lets nothing start but what says that it puts something back.
    `after_effect` says whether that command has done its work already.

    After every command each tag is looked at; `violations` holds those that named a digest without
    a signature or an attestation.
    """

    def __init__(self, settings):
        self.settings = settings
        self.commands = []
        self.manifests = {}
        self.tags = {}
        self.cosign = Cosign3()
        self.fail = None
        self.says = ""
        self.stop_at = None
        self.after_effect = True
        self.interrupt = False
        self.stopped = False
        self.violations = []
        self.looks = 0

    def run(self, command):
        number = len(self.commands)
        self.commands.append(command)
        if self.stopped:
            self._stopped(command)
        if number == self.stop_at and not self.after_effect:
            self._stop(command)
        try:
            return self._carry_out(command)
        finally:
            self._look(command)
            if number == self.stop_at:
                self._stop(command)

    def _carry_out(self, command):
        step = self.step(command.argv)
        if step == self.fail:
            raise CommandError(f"`{command}` exited with status 1", details=self.says)
        answer = getattr(self, step.replace("-", "_"))
        given = command if command.argv[0] == "cosign" else command.argv
        return self._result(*answer(given))

    def _stop(self, command):
        self.stopped = True
        if not self.interrupt:
            raise Killed
        raise CommandError(f"`{command}` was ended by SIGTERM")

    def _stopped(self, command):
        if not self.interrupt:
            raise Killed
        if not command.even_if_interrupted:
            raise CommandError(f"`{command}` was not started: the run is being interrupted")

    def restart(self):
        """Forget that a run was broken off; what it did stays."""
        self.stop_at, self.stopped = None, False
        self.commands.clear()

    def _look(self, command):
        self.looks += 1
        self.violations += [
            f"{name} -> {digest} after {self.step(command.argv)}"
            for name, digest in self.tags.items()
            if not (self.cosign.signatures.get(digest) and self.cosign.attestations.get(digest))
        ]

    @staticmethod
    def step(argv):
        program, verb = argv[:2]
        if program == "skopeo" and verb == "copy":
            return "push" if any(part.startswith("oci:") for part in argv) else "tag"
        return verb

    def steps(self):
        return [self.step(command.argv) for command in self.commands]

    def writes(self):
        """Return the steps that changed something, in their order."""
        return [step for step in self.steps() if step in WRITES]

    def yesterday(self, *tags):
        """Let these tags name an image of an earlier run, signed and attested."""
        self.manifests[OLD] = OLD_MANIFEST
        stored = Stored(legacy=True, roots=(None, None, None), has_sct=True)
        self.cosign.signatures[OLD] = [stored]
        self.cosign.attestations[OLD] = [stored]
        self.tags.update(dict.fromkeys(tags, OLD))

    def sboms(self, digest=DIGEST):
        """Return every document that is attested to a digest."""
        return [stored.predicate for stored in self.cosign.attestations.get(digest, ())]

    @staticmethod
    def _result(status=0, stdout=b"", stderr=""):
        return Result(status=status, stdout=stdout, stderr_tail=stderr)

    def inspect(self, argv):
        name = argv[-1].removeprefix("docker://")
        digest = name.partition("@")[2] or self.tags.get(name.rpartition(":")[2])
        if digest not in self.manifests:
            raise CommandError("skopeo failed", details="reading manifest: manifest unknown")
        return 0, self.manifests[digest]

    def push(self, argv):
        self.manifests[argv[-1].partition("@")[2]] = MANIFEST
        return (0,)

    def sign(self, command):
        self.cosign.run(command)
        return (0,)

    def attest(self, command):
        self.cosign.run(command)
        return (0,)

    def verify(self, command):
        _, digest, found = self.cosign.run(command)
        if not found:
            return 10, b"", "Error: no signatures found"
        signing = self.settings.signing
        signature = {
            "critical": {
                "identity": {"docker-reference": "x"},
                "image": {"docker-manifest-digest": digest},
                "type": "cosign container image signature",
            },
            "optional": {
                "Issuer": signing.certificate_oidc_issuer,
                "Subject": signing.certificate_identity,
                "Bundle": {"SignedEntryTimestamp": "x", "Payload": {"logIndex": 7}},
            },
        }
        return 0, json.dumps([signature]).encode()

    def verify_attestation(self, command):
        _, digest, found = self.cosign.run(command)
        if not found:
            return 1, b"", "Error: no matching attestations: "
        return 0, b"".join(self._envelope(digest, stored.predicate) for stored in found)

    @staticmethod
    def _envelope(digest, predicate):
        statement = {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://cyclonedx.org/bom",
            "subject": [{"name": "x", "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicate": predicate,
        }
        payload = base64.b64encode(json.dumps(statement).encode()).decode()
        envelope = {
            "payloadType": "application/vnd.in-toto+json",
            "payload": payload,
            "signatures": [],
        }
        return json.dumps(envelope).encode() + b"\n"

    def tag(self, argv):
        self.tags[argv[-1].rpartition(":")[2]] = argv[-2].partition("@")[2]
        return (0,)
