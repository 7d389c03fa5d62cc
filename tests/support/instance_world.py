"""An instance's repository, in real git, and everything remote as dictionaries: registries and a Sigstore.

buildah is a stand-in that keeps what it was asked to build; images that it commits have real configurations,
so that layouts, pushes and verifications are about the same digests as outside.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import os
import subprocess
import time
from collections import defaultdict
from datetime import UTC, datetime
from pathlib import Path

from immutable_base.errors import CommandError, ImmutableBaseError
from immutable_base.image.program import MountedImage
from immutable_base.instance.context import load_instance_context
from immutable_base.model.facts import ImageFacts
from immutable_base.policy.host_trust import HostTrust, Scope
from immutable_base.process import Result
from immutable_base.process import run as run_program
from immutable_base.provenance.record import base_material
from immutable_base.publish.as_host import REJECTED
from immutable_base.repository.metadata import Metadata
from immutable_base.verification.attestation import CYCLONEDX, PROVENANCE
from support.complete import full_of, naming, predicate, write_sboms
from support.forge import (
    NOW,
    SBOM,
    MemoryRegistry,
    attestation,
    compact,
    digest_of,
    signature,
    simple_signing,
    statement,
)
from support.publish_world import SIGSTORE, trust_files
from support.rpmmd import Notice, Rpm, write_repository
from support.scene import write_config
from support.small_images import write_image
from support.sound_image import FACTS, KMOD, K, host_policy

HOST = "registry.example"
BASES = f"{HOST}/images"
BASE = f"{BASES}/base-zfs"
INSTANCE = f"{HOST}/acme/hosts/fileserver"
BASE_IDENTITY = "https://gitlab.example/images//.gitlab-ci.yml@refs/heads/main"
ISSUER = "https://gitlab.example"
GITLAB = {
    "CI_SERVER_URL": ISSUER, "CI_SERVER_HOST": "gitlab.example", "CI_SERVER_PORT": "443",
    "CI_PROJECT_PATH": "Acme/Hosts/FileServer", "CI_PROJECT_URL": f"{ISSUER}/Acme/Hosts/FileServer",
    "CI_DEFAULT_BRANCH": "main", "CI_PIPELINE_SOURCE": "schedule", "CI_REGISTRY_IMAGE": f"{HOST}/Acme/Hosts/FileServer",
}  # fmt: skip
IDENTITY = "https://gitlab.example/Acme/Hosts/FileServer//.gitlab-ci.yml@refs/heads/main"
REPOSITORY = f"{HOST}/acme/hosts/fileserver"
OCI = "org.opencontainers.image"
REFUSING = '{"default": [{"type": "reject"}]}'
"""The policy.json of a base whose hosts demand signatures, and of what is built on it."""


class InstanceWorld:
    """`environment` is the job's, and may be changed; `now` is the clock."""

    def __init__(self, folder: Path, monkeypatch) -> None:  # noqa: PLR0915  a world has many things
        self.folder = folder
        self.repository = folder / "repository"
        self.environment = dict(GITLAB)
        self.registries: dict[str, MemoryRegistry] = defaultdict(MemoryRegistry)
        self.attested: dict[tuple[str, str], dict] = {}
        """What is attested to an image, by its predicate type."""
        self.now = NOW + 86400
        self.commands: list = []
        self.built: list[tuple[str, tuple[str, ...]]] = []
        """Text of each Containerfile that was built, and the names of the files beside it."""
        self.configurations: dict[str, bytes] = {}
        self.labels: dict[str, dict[str, str]] = defaultdict(dict)
        self.facts: dict[str, object] = {}
        """Facts of the image that differ from those of a sound one."""
        self.policies = dict.fromkeys(("base", "image"), REFUSING)
        """Text of the policy.json of `image` and of `base`."""
        self.packages: dict[str, str] = {}
        """What the image that is built has: version by name, all of x86_64."""
        self.repositories: dict[str, list[Rpm]] = {}
        """What repositories of the product's configuration have; others are empty."""
        self.notices: dict[str, list[Notice]] = {}
        """What they advise; others publish no advisories."""
        self.broken: dict[str, ImmutableBaseError] = {}
        """Why repositories cannot be asked."""
        self.timestamp = int(self.now)
        """When all metadata was made."""
        (folder / "product").mkdir(parents=True)
        self.config = write_config(
            folder / "product",
            {"certificate_identity": BASE_IDENTITY, "certificate_oidc_issuer": ISSUER, **trust_files(folder / "product")},
            {"destination": BASES},
        )  # fmt: skip
        scripts = folder / "product/layers/scripts"
        scripts.mkdir(parents=True)
        (scripts / "clean").write_text("#!/bin/bash\n")
        monkeypatch.setattr("immutable_base.instance.inspect.read_facts", self._read_facts)
        monkeypatch.setattr("immutable_base.instance.inspect.mounted_image", self._mounted_image)
        monkeypatch.setattr(
            "immutable_base.instance.inspect.read_modules", lambda *_: FACTS.modules
        )
        monkeypatch.setattr("immutable_base.instance.inspect.rpmdb.query_text", lambda _: "")
        monkeypatch.setattr("immutable_base.instance.inspect.rpmdb.parse", lambda _: None)
        monkeypatch.setattr("immutable_base.instance.sbom.write_sbom", self._write_sbom)
        monkeypatch.setattr("immutable_base.instance.sbom.found_modules", lambda *_: ())
        monkeypatch.setattr("immutable_base.instance.updates.open_metadata", self._open_metadata)
        self.set_token()
        self.publish_base()
        self.commit({"Containerfile": f"FROM {BASE}:latest\nRUN true\n"})

    def set_token(self, **changes) -> None:
        """Give the job its identity token; None leaves a claim out."""
        claims = {
            "iss": ISSUER, "aud": "sigstore", "exp": time.time() + 600, "ref_protected": "true",
            "ci_config_ref_uri": IDENTITY.removeprefix("https://"), **changes,
        }  # fmt: skip
        given = {key: value for key, value in claims.items() if value is not None}
        body = base64.urlsafe_b64encode(json.dumps(given).encode()).rstrip(b"=").decode()
        os.environ["SIGSTORE_ID_TOKEN"] = f"eyJhbGciOiJSUzI1NiJ9.{body}.c2lnbmF0dXJl"

    # ------------------------------------------------------------------ what is remote

    def publish_base(self, *, words="night 1", tag="latest", identity=BASE_IDENTITY, signed=True, when=NOW, repository=BASE, packages=None, title="base-zfs"):  # fmt: skip
        """Publish a base image as a nightly run does; returns its digest."""
        labels = {
            f"{OCI}.title": title,
            f"{OCI}.description": words,
            "io.immutable-base.kernel": K,
        }
        digest = self.put(repository, labels, created=when, tag=tag)
        if signed:
            sbom = SBOM if packages is None else sbom_with({}, packages)
            self.sign(repository, digest, identity, when=when, sbom=sbom)
        return digest

    def put(self, repository, labels, *, created=NOW, tag=None) -> str:
        registry = self.registries[repository]
        at = datetime.fromtimestamp(created, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        config = compact({"os": "linux", "architecture": "amd64", "created": at, "config": {"Labels": labels}})  # fmt: skip
        raw = compact(
            {
                "schemaVersion": 2, "mediaType": "application/vnd.oci.image.manifest.v1+json",
                "config": {"mediaType": "application/vnd.oci.image.config.v1+json", "size": len(config), "digest": registry.add_blob(config)},
                "layers": [],
            }
        )  # fmt: skip
        registry.manifests[digest_of(raw)] = raw
        if tag:
            registry.manifests[tag] = raw
        return digest_of(raw)

    def sign(self, repository, digest, identity, *, when=NOW, sbom=SBOM) -> None:
        registry = self.registries[repository]
        leaf = SIGSTORE.leaf(identity=identity, issuer=ISSUER, when=when)
        registry.attach(digest, "sig", signature(SIGSTORE, simple_signing(digest, repository), leaf=leaf, when=when + 1))  # fmt: skip
        full = full_of(sbom)
        self._attest(repository, digest, leaf, when, naming(sbom, full))
        base = self._labels_of(registry, digest).get(f"{OCI}.base.digest", f"sha256:{'b' * 64}")
        stated = predicate(
            full, identity, run={"metadata": {}},
            build={"resolvedDependencies": [base_material(f"{BASE}@{base}").descriptor()]},
        )  # fmt: skip
        self._attest(repository, digest, leaf, when, stated, PROVENANCE)
        registry.refer(digest, full)

    @staticmethod
    def _labels_of(registry, digest) -> dict[str, str]:
        config = json.loads(registry.manifests[digest])["config"]["digest"]
        return json.loads(registry.blobs[config])["config"]["Labels"] or {}

    def _attest(self, repository, digest, leaf, when, predicate, kind=CYCLONEDX) -> None:
        """Attest a document, in place of an earlier one of its kind."""
        stated = statement(digest, predicate, predicateType=kind)
        made = self.attested.setdefault((repository, digest), {})
        made[kind] = attestation(SIGSTORE, stated, leaf=leaf, when=when + 2)
        self.registries[repository].attach(digest, "att", *made.values())

    def tags(self) -> dict[str, str]:
        """Return what each tag of the instance names."""
        found = self.registries[REPOSITORY].manifests
        return {
            name: digest_of(raw) for name, raw in found.items() if not name.startswith("sha256")
        }

    def open_reader(self, repository, _deadline) -> MemoryRegistry:
        return self.registries[repository]

    # ------------------------------------------------------------------ the repository

    def git(self, *arguments) -> str:
        done = subprocess.run(
            ["git", "-c", "user.name=x", "-c", "user.email=x@example.invalid", *arguments],
            cwd=self.repository, check=True, capture_output=True, text=True,
            env={**os.environ, "GIT_COMMITTER_DATE": f"{NOW - 3600} +0000", "GIT_AUTHOR_DATE": f"{NOW - 3600} +0000"},
        )  # fmt: skip
        return done.stdout.strip()

    def commit(self, files: dict[str, str | None], message="change") -> str:
        """Write files, None removes one, and commit them; returns the commit."""
        if not self.repository.is_dir():
            self.repository.mkdir()
            self.git("init", "--quiet", "--initial-branch=main")
        for name, text in files.items():
            path = self.repository / name
            if text is None:
                path.unlink()
            else:
                path.write_text(text)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        return self.git("rev-parse", "HEAD")

    # ------------------------------------------------------------------ programs

    @property
    def context(self):
        at = load_instance_context(
            self.repository, self.config, self.folder / "workspace", self.run, self.environment
        )
        return type(at)(
            **{
                **{name: getattr(at, name) for name in at.__slots__},
                "open_reader": self.open_reader,
                "clock": lambda: self.now,
            }
        )

    def run(self, command) -> Result:
        self.commands.append(command)
        program, *rest = command.argv
        if program == "git":
            return run_program(command)
        if program == "bwrap":  # the image's own skopeo: no key is configured
            return Result(status=1, stdout=b"", stderr_tail=f"{REJECTED}no signature exists")
        return self._answer(getattr(self, f"_{program}")(rest, command))

    @staticmethod
    def _answer(text) -> Result:
        raw = text if isinstance(text, bytes) else str(text).encode()
        return Result(status=0, stdout=raw, stderr_tail="")

    def _skopeo(self, argv, _command):
        verb, *rest = argv
        if verb == "inspect":
            return self._look_up(rest[-1].removeprefix("docker://"), config="--config" in rest)
        source, target = rest[-2:]
        target = target.removeprefix("docker://")
        if source.startswith("oci:"):
            self._push(Path(source.removeprefix("oci:")), target)
        else:
            repository, _, tag = target.rpartition(":")
            registry = self.registries[repository]
            registry.manifests[tag] = registry.manifests[source.partition("@")[2]]
        return ""

    def _look_up(self, name, *, config) -> bytes:
        repository, _, reference = name.partition("@") if "@" in name else name.rpartition(":")
        registry = self.registries[repository]
        raw = registry.manifests.get(reference)
        if raw is None:
            raise CommandError("skopeo failed", details="manifest unknown")
        return registry.blobs[json.loads(raw)["config"]["digest"]] if config else raw

    def _push(self, layout: Path, target: str) -> None:
        repository, _, digest = target.partition("@")
        registry = self.registries[repository]
        for path in (layout / "blobs/sha256").iterdir():
            registry.add_blob(path.read_bytes())
        registry.manifests[digest] = registry.blobs[digest]

    def _cosign(self, argv, command):
        if argv[0] == "version":
            return json.dumps({"gitVersion": "v2.6.5"})
        repository, _, digest = argv[-1].partition("@")
        payload = command.env["SIGSTORE_ID_TOKEN"].split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        leaf = SIGSTORE.leaf(identity=f"https://{claims['ci_config_ref_uri']}", issuer=ISSUER, when=self.now)  # fmt: skip
        if argv[0] == "sign":
            self.registries[repository].attach(digest, "sig", signature(SIGSTORE, simple_signing(digest, repository), leaf=leaf, when=self.now + 1))  # fmt: skip
        else:
            given = dict(word.removeprefix("--").split("=", 1) for word in argv if "=" in word)
            document = json.loads(Path(given["predicate"]).read_text())
            kind = CYCLONEDX if given["type"] == "cyclonedx" else given["type"]
            self._attest(repository, digest, leaf, self.now, document, kind)
        return ""

    def _unshare(self, argv, command):
        raise AssertionError(f"an instance's steps have the network: {argv}")

    def _buildah(self, argv, _command):
        if argv == ["--version"]:
            return "buildah version 1.39.0"
        rest = argv[argv.index("overlay") + 1 :]
        return getattr(self, f"_buildah_{rest[0]}", lambda _: f"id-of-{rest[0]}")(rest)

    def _buildah_build(self, argv):
        flags = dict(w.removeprefix("--").split("=", 1) for w in argv if w.startswith("--") and "=" in w)  # fmt: skip
        text = Path(flags["file"]).read_text()
        context = Path(argv[-1])
        names = sorted(str(p.relative_to(context)) for p in context.rglob("*") if p.is_file())
        self.built.append((text, tuple(names)))
        Path(flags["iidfile"]).write_text("sha256:" + hashlib.sha256(text.encode()).hexdigest())
        return ""

    def _buildah_images(self, _argv):
        return json.dumps([{"id": name, "names": []} for name in self.configurations])

    def _buildah_inspect(self, argv):
        name = argv[-1]
        labels = self.labels[name]
        if "@" in name:
            repository, _, digest = name.partition("@")
            registry = self.registries[repository]
            config = json.loads(registry.manifests[digest])["config"]["digest"]
            labels = json.loads(registry.blobs[config])["config"]["Labels"]
        return json.dumps({"OCIv1": {"config": {"Labels": labels}}, "ImageAnnotations": {}})

    def _buildah_from(self, argv):
        root = self.folder / "root"
        (root / f"usr/lib/modules/{K}").mkdir(parents=True, exist_ok=True)
        (root / f"usr/lib/modules/{K}/vmlinuz").touch()
        return "container"

    def _buildah_mount(self, _argv):
        return self.folder / "root"

    def _buildah_config(self, argv):
        for word in argv:
            kind, _, rest = word.partition("=")
            name, equals, value = rest.partition("=")
            if kind == "--label" and equals:
                self.labels["next"][name] = value
        return ""

    def _buildah_commit(self, argv):
        (time_,) = (int(w.partition("=")[2]) for w in argv if w.startswith("--timestamp="))
        at = datetime.fromtimestamp(time_, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        labels = dict(self.labels.pop("next"))
        config = compact({"os": "linux", "architecture": "amd64", "created": at, "config": {"Labels": labels}})  # fmt: skip
        found = hashlib.sha256(config).hexdigest()
        self.configurations[found] = config
        return found

    def _buildah_push(self, argv):
        digest = write_image(Path(argv[-1].removeprefix("oci:")), self.configurations[argv[-2]])
        (flag,) = (word for word in argv if word.startswith("--digestfile="))
        Path(flag.partition("=")[2]).write_text(digest)
        return ""

    # ------------------------------------------------------------------ what is in the image

    def _read_facts(self, _storage, image_id, where, *, rests_on) -> ImageFacts:
        labels = json.loads(self.configurations[image_id])["config"]["Labels"]
        known = {
            "rests_on": rests_on,
            "variant": where.name,
            "image_id": image_id,
            "labels": labels,
        }
        trust = HostTrust(
            name=f"instance-{where.name}", scopes=(Scope(name=where.repository),), whole=False
        )
        known["host_policy"] = host_policy(trust)
        return FACTS.model_copy(update={**known, "kmod_requires": {KMOD.name: (f"kernel-uname-r = {K}",)}, **self.facts})  # fmt: skip

    @contextlib.contextmanager
    def _mounted_image(self, _storage, image):
        which = "base" if "@" in image else "image"
        root = self.folder / f"mounted-{which}"
        (root / f"usr/lib/modules/{K}").mkdir(parents=True, exist_ok=True)
        (root / f"usr/lib/modules/{K}/vmlinuz").touch()
        if which in self.policies:
            (root / "etc/containers").mkdir(parents=True, exist_ok=True)
            (root / "etc/containers/policy.json").write_text(self.policies[which])
        yield MountedImage(run=self.run, root=root)

    def _write_sbom(self, _run, _root, request, *, facts, document) -> None:
        said = {item.name: item.value for item in request.image.properties}
        found = sbom_with(said, self.packages)
        found["metadata"]["component"] |= {"type": "container", "name": request.image.name}
        write_sboms(document, found)

    # ------------------------------------------------------------------ repositories

    @contextlib.contextmanager
    def _open_metadata(self, *_):
        yield self

    def fetch_all(self, sources) -> dict:
        """Answer as `MetadataFetcher`; nothing is verified here."""
        return {source: self.broken.get(source.id) or self._metadata(source) for source in sources}

    def _metadata(self, source) -> Metadata:
        notices = self.notices.get(source.id)
        folder = self.folder / "repositories" / source.id
        written = write_repository(folder, self.repositories.get(source.id, []), notices=notices)
        return Metadata(
            source=source, revision="1", timestamp=self.timestamp, repomd_sha256="0" * 64, signed_by=None, key=None,
            primary=written.files["primary"], files=written.files,
        )  # fmt: skip

    def fetch_file(self, _source, files, kind) -> Path:
        return files[kind]


def sbom_with(said: dict[str, str], packages: dict[str, str]) -> dict:
    """Return an SBOM as ours are: what it says of its image, and rpm packages of x86_64."""
    properties = [{"name": name, "value": value} for name, value in said.items()]
    rows = [
        {"type": "library", "name": name, "version": evr, "purl": f"pkg:rpm/centos/{name}@{evr}?arch=x86_64&distro=centos-10"}
        for name, evr in packages.items()
    ]  # fmt: skip
    return {
        "bomFormat": "CycloneDX", "specVersion": "1.6", "metadata": {"component": {"properties": properties}},
        "components": rows,
    }  # fmt: skip
