"""A registry and a Sigstore made of dictionaries, behind the `Runner` that features receive.

cosign's flags are those of cosign 3, read strictly (support.cosign3). What the real programs do is
tested in tests/lab/test_publish.py.
"""

import base64
import json
import time
from dataclasses import dataclass, replace
from pathlib import Path

from immutable_base.errors import CommandError, RemoteError
from immutable_base.process import Result
from immutable_base.verification.attestation import CYCLONEDX, PROVENANCE
from support.complete import INDEX, artifact, predicate, referrers
from support.cosign3 import Cosign3, Stored
from support.forge import (
    FULL,
    NOW,
    SBOM,
    Instance,
    MemoryRegistry,
    attestation,
    digest_of,
    key_signature,
    pem_of,
    public_pem,
    signature,
    simple_signing,
    statement,
)

IMAGES = MemoryRegistry()
DIGEST, OLD = IMAGES.add_image("tonight"), IMAGES.add_image("yesterday")
MANIFEST, OLD_MANIFEST = IMAGES.manifests[DIGEST], IMAGES.manifests[OLD]
SIGSTORE = Instance()
LOG_INDEX = 7
SIGNED_AT = NOW + 1
WRITES = ("push", "sign", "attest", "refer", "tag")
"""Steps that change what others see."""


def trust_files(folder):
    """Write the trust in our Sigstore, and return the keys of `[signing]` that name it."""
    files = {
        "fulcio_root": pem_of(SIGSTORE.root).encode(),
        "rekor_key": public_pem(SIGSTORE.rekor_key),
        "ct_log_key": public_pem(SIGSTORE.ct_key),
    }
    for name, content in files.items():
        (folder / f"{name}.pem").write_bytes(content)
    urls = {"fulcio_url": "https://fulcio.example", "rekor_url": "https://rekor.example"}
    return {**urls, **{name: str(folder / f"{name}.pem") for name in files}}


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
        self.blobs = {}
        """Of artifacts; images have theirs elsewhere."""
        self.tags = {}
        self.labels = {}
        """Labels of images by their digests, or the error instead of an answer."""
        self.lists = {}
        """Lists of referrers, by their tags."""
        self.cosign = Cosign3()
        self.cosign_version = "v2.6.5"
        self.keys = {}
        """Private keys by cosign's reference; one that is not here cannot be used."""
        self.fail = None
        self.says = ""
        self.stop_at = None
        self.after_effect = True
        self.interrupt = False
        self.stopped = False
        self.violations = []
        self.looks = 0
        self.reads = []
        """What a verification has asked for, without the host."""
        self.sign_as = None
        """Who signs, where it is not the configured signer."""
        self.later = {}
        """Seconds after SIGNED_AT at which images were signed, by their digests."""

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
            or not self._signed_for_hosts(name, digest)
        ]

    def _signed_for_hosts(self, tag, digest):
        """Whether the configured key has signed for a tag; an earlier run's image had no key."""
        if self.settings.signing.keys is None or digest == OLD:
            return True
        identities = [it.identity for it in self.cosign.signatures.get(digest, ()) if it.by_key]
        return any(identity.endswith(f":{tag}") for identity in identities)

    @staticmethod
    def step(argv):
        program, verb = argv[:2]
        if program == "skopeo" and verb == "copy":
            if any("/.full-sbom." in part for part in argv):
                return "refer"
            return "push" if any(part.startswith("oci:") for part in argv) else "tag"
        return verb

    def steps(self):
        """Return what was done, in order; the question for cosign's version is not part of it."""
        found = [self.step(command.argv) for command in self.commands]
        return [step for step in found if step != "version"]

    def writes(self):
        """Return the steps that changed something, in their order."""
        return [step for step in self.steps() if step in WRITES]

    def yesterday(self, *tags):
        """Let these tags name an image of an earlier run, signed and attested."""
        self.manifests[OLD] = OLD_MANIFEST
        stored = Stored(legacy=True, roots=(None, None, None), has_sct=True, predicate=SBOM)
        identity = self.settings.signing.certificate_identity
        how = replace(stored, predicate=predicate(FULL, identity), kind=PROVENANCE)
        self.cosign.signatures[OLD] = [stored]
        self.cosign.attestations[OLD] = [stored, how]
        self._refer(OLD, FULL)
        self.tags.update(dict.fromkeys(tags, OLD))

    def _refer(self, digest, full):
        manifest, entry = artifact(digest, full)
        self.manifests[digest_of(manifest)] = manifest
        self.blobs[digest_of(full)] = full
        self.lists[digest.replace(":", "-")] = referrers(entry)

    def sboms(self, digest=DIGEST):
        """Return every SBOM that is attested to a digest."""
        return self._attested(digest, CYCLONEDX)

    def provenances(self, digest=DIGEST):
        """Return every provenance that is attested to a digest."""
        return self._attested(digest, PROVENANCE)

    def _attested(self, digest, kind):
        stored = self.cosign.attestations.get(digest, ())
        return [it.predicate for it in stored if it.kind == kind]

    @staticmethod
    def _result(status=0, stdout=b"", stderr=""):
        return Result(status=status, stdout=stdout, stderr_tail=stderr)

    def inspect(self, argv):
        name = argv[-1].removeprefix("docker://")
        digest = name.partition("@")[2] or self.tags.get(name.rpartition(":")[2])
        if digest not in self.manifests:
            raise CommandError("skopeo failed", details="reading manifest: manifest unknown")
        if "--config" in argv:
            found = self.labels.get(digest, {})
            if isinstance(found, Exception):
                raise found
            return 0, json.dumps({"config": {"Labels": found}}).encode()
        return 0, self.manifests[digest]

    def version(self, command):
        return 0, json.dumps({"gitVersion": self.cosign_version}).encode()

    def public_key(self, command):
        reference = command.argv[-1].removeprefix("--key=")
        if reference not in self.keys:
            raise CommandError("cosign failed", details=f"Error: no key {reference}")
        return 0, public_pem(self.keys[reference])

    def push(self, argv):
        self.manifests[argv[-1].partition("@")[2]] = MANIFEST
        return (0,)

    def refer(self, argv):
        folder, digest = Path(argv[-2].removeprefix("oci:")), argv[-1].partition("@")[2]
        found = {digest_of(it.read_bytes()): it.read_bytes() for it in (folder / "blobs/sha256").iterdir()}  # fmt: skip
        self.manifests[digest] = found.pop(digest)
        self.blobs.update(found)
        return (0,)

    def sign(self, command):
        self.cosign.run(command)
        return (0,)

    def attest(self, command):
        self.cosign.run(command)
        return (0,)

    def open_reader(self, repository, deadline):
        """Return what the product's own verification reads."""
        return Reader(self, repository)

    def tag(self, argv):
        self.tags[argv[-1].rpartition(":")[2]] = argv[-2].partition("@")[2]
        return (0,)


@dataclass
class Reader:
    """One repository of the world, as it is read to verify; `fail = "read"` lets it fail."""

    world: World
    repository: str

    def manifest(self, reference):
        world = self.world
        world.reads.append(reference)
        if world.fail == "read":
            raise RemoteError("nothing can be known", details=world.says)
        digest, dot, kind = reference.replace("sha256-", "sha256:").partition(".")
        if dot and kind in {"sig", "att"} and digest.startswith("sha256:"):
            return self._beside(digest, kind).manifest(reference)
        if reference in world.lists:
            return world.lists[reference]
        return world.manifests.get(world.tags.get(reference, reference))

    def referrers(self, digest, kind):
        return None

    def put_manifest(self, reference, raw, kind):
        assert kind == INDEX
        self.world.lists[reference] = raw

    def close(self):
        """Nothing is open."""

    def blob(self, digest, size):
        self.world.reads.append(digest)
        found = [self._beside(image, kind) for image in (DIGEST, OLD) for kind in ("sig", "att")]
        places = [self.world.blobs, *(it.blobs for it in (IMAGES, *found))]
        return next((blobs[digest] for blobs in places if digest in blobs), None)

    def _beside(self, digest, kind):
        cosign, registry = self.world.cosign, MemoryRegistry()
        stored = (cosign.signatures if kind == "sig" else cosign.attestations).get(digest, ())
        layers = [self._layer(digest, kind, item) for item in stored if item.legacy]
        if layers:
            registry.attach(digest, kind, *layers)
        return registry

    def _layer(self, digest, kind, stored):
        if stored.by_key:
            key = self.world.keys[stored.by_key]
            return key_signature(key, digest, stored.identity or self.repository)
        text = json.dumps(stored.predicate)
        what = kind if kind == "sig" else stored.kind
        when = SIGNED_AT + self.world.later.get(digest, 0)
        return forged(
            digest,
            what,
            self.repository,
            text,
            self.world.sign_as,
            self.world.settings,
            when=when,
        )


def junk(world, kind):
    """Put something under the tag beside the image that stops cosign; returns the tag."""
    tag = f"{DIGEST.replace(':', '-')}.{kind}"
    real = world.open_reader

    def open_reader(repository, deadline):
        reader = real(repository, deadline)
        manifest = reader.manifest
        reader.manifest = lambda name: b"junk" if name == tag else manifest(name)
        return reader

    world.open_reader = open_reader
    return tag


_FORGED = {}


def forged(digest, kind, repository, predicate, identity, settings, *, when):
    """Sign or attest as the real services would; the same thing once, for signing takes a while."""
    signing = settings.signing
    who = identity or signing.certificate_identity
    key = (digest, kind, repository, predicate, who, signing.certificate_oidc_issuer, when)
    if key not in _FORGED:
        leaf = SIGSTORE.leaf(identity=who, issuer=signing.certificate_oidc_issuer, when=when - 1)
        if kind == "sig":
            _FORGED[key] = signature(SIGSTORE, simple_signing(digest, repository), leaf=leaf, index=LOG_INDEX, when=when)  # fmt: skip
        else:
            stated = statement(digest, json.loads(predicate), predicateType=kind)
            _FORGED[key] = attestation(SIGSTORE, stated, leaf=leaf, when=when + 1)
    return _FORGED[key]
