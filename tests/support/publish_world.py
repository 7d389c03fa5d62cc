"""A registry and a Sigstore made of dictionaries, behind the `Runner` that features receive.

What the real programs do is tested in tests/lab/test_publish.py; here only the order counts.
"""

import base64
import hashlib
import json
import time
from pathlib import Path

from immutable_base.errors import CommandError
from immutable_base.process import Result

PRODUCT = Path(__file__).parents[2] / "immutable-base.toml"
MANIFEST = b'{"schemaVersion": 2, "config": {}}'
DIGEST = f"sha256:{hashlib.sha256(MANIFEST).hexdigest()}"
OLD_MANIFEST = b'{"schemaVersion": 2, "old": true}'
OLD = f"sha256:{hashlib.sha256(OLD_MANIFEST).hexdigest()}"


def token_for(settings, **changes):
    claims = {
        "iss": settings.signing.certificate_oidc_issuer,
        "aud": "sigstore",
        "exp": time.time() + 600,
        "ci_config_ref_uri": settings.signing.certificate_identity.removeprefix("https://"),
        **changes,
    }
    kept = {key: value for key, value in claims.items() if value is not None}
    body = base64.urlsafe_b64encode(json.dumps(kept).encode()).rstrip(b"=").decode()
    return f"eyJhbGciOiJSUzI1NiJ9.{body}.c2lnbmF0dXJl"


class World:
    """Answers skopeo and cosign; `fail` names the step that shall fail."""

    def __init__(self, settings):
        self.settings = settings
        self.commands = []
        self.manifests = {}
        self.tags = {}
        self.signed = set()
        self.attested = {}
        self.fail = None
        self.says = ""

    def run(self, command, *, on_line=None):
        self.commands.append(command)
        step = self.step(command.argv)
        if step == self.fail:
            raise CommandError(f"`{command}` exited with status 1", details=self.says)
        return self._result(*getattr(self, step.replace("-", "_"))(command.argv))

    @staticmethod
    def step(argv):
        program, verb = argv[:2]
        if program == "skopeo" and verb == "copy":
            return "push" if any(word.startswith("oci:") for word in argv) else "tag"
        return verb

    def steps(self):
        return [self.step(command.argv) for command in self.commands]

    @staticmethod
    def _result(status=0, stdout=b"", stderr=""):
        return Result(status=status, stdout=stdout, stderr_tail=stderr, seconds=0.0)

    def inspect(self, argv):
        name = argv[-1].removeprefix("docker://")
        digest = name.partition("@")[2] or self.tags.get(name.rpartition(":")[2])
        if digest not in self.manifests:
            raise CommandError("skopeo failed", details="reading manifest: manifest unknown")
        return 0, self.manifests[digest]

    def push(self, argv):
        self.manifests[argv[-1].partition("@")[2]] = MANIFEST
        return (0,)

    def sign(self, argv):
        self.signed.add(argv[-1].partition("@")[2])
        return (0,)

    def attest(self, argv):
        [predicate] = [word.partition("=")[2] for word in argv if word.startswith("--predicate=")]
        self.attested[argv[-1].partition("@")[2]] = json.loads(Path(predicate).read_text())
        return (0,)

    def verify(self, argv):
        digest = argv[-1].partition("@")[2]
        if digest not in self.signed:
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

    def verify_attestation(self, argv):
        digest = argv[-1].partition("@")[2]
        if digest not in self.attested:
            return 1, b"", "Error: no matching attestations: "
        statement = {
            "_type": "https://in-toto.io/Statement/v0.1",
            "predicateType": "https://cyclonedx.org/bom",
            "subject": [{"name": "x", "digest": {"sha256": digest.removeprefix("sha256:")}}],
            "predicate": self.attested[digest],
        }
        payload = base64.b64encode(json.dumps(statement).encode()).decode()
        envelope = {
            "payloadType": "application/vnd.in-toto+json",
            "payload": payload,
            "signatures": [],
        }
        return 0, json.dumps(envelope).encode() + b"\n"

    def tag(self, argv):
        self.tags[argv[-1].rpartition(":")[2]] = argv[-2].partition("@")[2]
        return (0,)
