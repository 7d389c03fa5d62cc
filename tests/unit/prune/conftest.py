"""A registry with some nights of one variant, and the command that prunes it."""

import datetime as dt
import json
import time

import pytest

from immutable_base.verification.tls_trust import TlsTrust
from support.forge import (
    IDENTITY,
    ISSUER,
    Instance,
    attestation,
    pem_of,
    public_pem,
    signature,
    simple_signing,
    statement,
)
from support.oci_registry import serving_registry
from support.scene import command, write_config
from support.web import make_certificate

PATH = "os/base"


@pytest.fixture(scope="session")
def instance():
    return Instance()


@pytest.fixture(scope="session")
def registry_tls(tmp_path_factory):
    return make_certificate(tmp_path_factory.mktemp("registry-tls"))


@pytest.fixture(scope="session")
def trust_in_registry(registry_tls):
    """Reading the system's CAs takes longer than everything else."""
    return TlsTrust(registry_tls.authority)


class Shelf:
    """The registry, what was published to it night by night, and `registry prune`."""

    def __init__(self, registry, instance, folder, authority):
        self.registry, self.instance, self.folder = registry, instance, folder
        self.authority = authority
        self.base = registry.repository(PATH)
        self.name = f"{registry.host}/{PATH}"
        self.nights = {}
        self.settings = {}

    def days_ago(self, days):
        return dt.datetime.now(dt.UTC) - dt.timedelta(days=days)

    def tag(self, days):
        return self.days_ago(days).strftime("%Y%m%d")

    def publish(self, days, *tags, words="", signed=None, dated=True):
        """Publish what was built so many days ago, signed then unless `signed` says otherwise."""
        names = [*([self.tag(days)] if dated else []), *tags]
        digest = self.base.image(f"night {days} {words}", *names)
        self.sign(digest, days if signed is None else signed)
        self.nights[days] = digest
        return digest

    def sign(self, digest, days, *, path=PATH, instance=None):
        when = int(time.time()) - days * 86400
        who = instance or self.instance
        leaf = who.leaf(when=when - 1)
        repository = self.registry.repository(path)
        text = simple_signing(digest, f"{self.registry.host}/{path}")
        repository.sign(digest, "sig", signature(who, text, leaf=leaf, when=when))
        repository.sign(digest, "att", attestation(who, statement(digest), leaf=leaf, when=when))

    def config(self):
        files = {
            "fulcio_root": pem_of(self.instance.root).encode(),
            "rekor_key": public_pem(self.instance.rekor_key),
            "ct_log_key": public_pem(self.instance.ct_key),
        }
        for name, content in files.items():
            (self.folder / f"{name}.pem").write_bytes(content)
        (self.folder / "layers").mkdir(exist_ok=True)
        signing = {
            "certificate_identity": IDENTITY,
            "certificate_oidc_issuer": ISSUER,
            "fulcio_url": "https://fulcio.example",
            "rekor_url": "https://rekor.example",
            **{name: f"{name}.pem" for name in files},
        }
        registry = {
            "destination": f"{self.registry.host}/os",
            "ca_bundle": str(self.authority),
            **self.settings,
        }
        return write_config(self.folder, signing, registry)

    def prune(self, *arguments, nights=3, days=10):
        window = [] if "--from" in arguments else ["--nights", nights, "--days", days]
        return command([
            "registry", "prune", "--config", self.config(), "--workspace", self.folder / "work",
            *window, *arguments,
        ])  # fmt: skip

    @property
    def old(self):
        """What may go of the long history."""
        return {self.nights[days] for days in (30, 40)}

    def plan(self, *arguments, **options):
        """Return the plan as a document."""
        done = self.prune("--format", "json", *arguments, **options)
        assert done.code == 0, done.err
        return json.loads(done.out)

    def items(self, *arguments, **options):
        """Return the planned rows of the variant, by digest."""
        found = {it["repository"]: it for it in self.plan(*arguments, **options)["repositories"]}
        return {item["digest"]: item for item in found[self.name]["items"]}

    def fate(self, digest, *arguments, **options):
        return self.items(*arguments, **options)[digest]["action"]

    def beside(self, digest):
        """Return which kinds stand beside a digest now."""
        tag = digest.replace(":", "-")
        return {kind for kind in ("sig", "att") if f"{tag}.{kind}" in self.base.tags}


@pytest.fixture
def shelf(registry_tls, trust_in_registry, instance, tmp_path, monkeypatch):
    for where in ("immutable_base.verify", "immutable_base.cli.registry"):
        monkeypatch.setattr(f"{where}.TlsTrust", lambda authority: trust_in_registry)
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, "127.0.0.1")
    for name in ("IMMUTABLE_BASE_CONFIG", "REGISTRY_AUTH_FILE", "XDG_RUNTIME_DIR", "DOCKER_CONFIG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr("immutable_base.verification.registry.WAITS", (0.0, 0.0))
    with serving_registry(registry_tls) as registry:
        yield Shelf(registry, instance, tmp_path, registry_tls.authority)


@pytest.fixture
def nights(shelf):
    """A shelf with a long history: nights of 0, 1, 2, 5, 20, 30 and 40 days ago."""
    shelf.publish(0, "latest", "6.12.1")
    for days in (1, 2, 5, 20, 30, 40):
        shelf.publish(days)
    return shelf
