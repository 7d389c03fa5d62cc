"""`registry prune` against the lab's real registry, on images that are signed for real."""

from __future__ import annotations

import datetime as dt
import json
import time
import uuid
from dataclasses import replace

import pytest

from immutable_base.cli.make_context import make_context
from immutable_base.context import load_context
from immutable_base.process import run
from immutable_base.publish.publish import publish_variant
from immutable_base.publish.request import PublishRequest
from immutable_base.run.publisher import publisher_of
from immutable_base.run.verifier import verifier_of
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.lab import Lab
from support.complete import complete, write_sboms
from support.scene import command
from support.small_images import write_layout

pytestmark = pytest.mark.apart

PROJECT = "immutable-base/immutable-base"
VARIANT = "base"


def tag(days):
    return (dt.datetime.now(dt.UTC) - dt.timedelta(days=days)).strftime("%Y%m%d")


@pytest.fixture
def shelf(lab, tmp_path, monkeypatch):
    made = Shelf(lab, tmp_path, monkeypatch)
    yield made
    made.registry.client.close()


class Shelf:
    """A repository of its own, with the product's configuration pointed at it."""

    def __init__(self, lab, folder, monkeypatch):
        for name in ("PATH", "IMMUTABLE_BASE_SIGNING_KEY", "COSIGN_PASSWORD"):
            monkeypatch.setenv(name, lab.env[name])
        self.lab, self.folder, self.monkeypatch = lab, folder, monkeypatch
        self.registry = lab.registry()
        self.registry.path = f"test-{uuid.uuid4().hex}"
        old = f"{self.registry.host}/immutable-base"
        self.destination = f"{self.registry.host}/{self.registry.path}"
        self.config = lab.config_with(folder, (f'"{old}"', f'"{self.destination}"'))
        self.context = load_context(self.config, folder / "workspace", run)

    def publish(self, words, *tags):
        services = Lab(LabPaths(root=self.lab.state))
        self.monkeypatch.setenv("SIGSTORE_ID_TOKEN", services.token(project=PROJECT))
        layout = self.folder / words
        digest = write_layout(layout, words)
        component = {"type": "library", "name": words, "version": "1"}
        document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component]}
        sbom = write_sboms(layout / "sbom.json", document)
        request = PublishRequest(
            variant=VARIANT, repository=f"{self.destination}/{VARIANT}", digest=digest, epoch=0,
            layout=layout, sbom=sbom, tags=tags, rests_on={},
            **complete(f"{self.destination}/{VARIANT}", sbom),
        )  # fmt: skip
        publish_variant(publisher_of(self.context), request)
        return digest

    def prune(self, *arguments):
        return self.lab.product(
            "registry", "prune", "--config", self.config, "--nights", "1", "--days", "10",
            *arguments, workspace=self.folder / "workspace",
        )  # fmt: skip


def test_old_nights_go_and_everything_that_stays_still_verifies(shelf, tmp_path):
    newest = shelf.publish("newest", "latest", tag(0))
    rollback = shelf.publish("rollback", tag(20))
    # Signed just now, as everything in the lab is: the days in tags of others are those that count.
    shelf.publish("before", "6.12.0", tag(30))
    kernel = shelf.publish("kernel", "6.12.1", tag(40))
    lost = shelf.publish("lost", tag(50))
    path = f"{shelf.registry.path}/{VARIANT}/manifests/{lost}"
    assert shelf.registry.client.delete(path).status_code == 202
    assert shelf.registry.has_beside(VARIANT, lost, "sig")

    plan = tmp_path / "plan.json"
    listed = shelf.prune("--format", "json", "--output", plan)
    assert listed.returncode == 0, listed.stderr
    document = json.loads(plan.read_text())
    items = {item["digest"]: item for it in document["repositories"] for item in it["items"]}
    assert items[kernel]["removed_tags"] == [tag(40)]
    assert items[newest]["action"] == items[rollback]["action"] == "keep"
    assert {item["kind"] for item in items.values() if item["action"] == "delete"} == {
        "signature", "attestation", "referrers", "referrer",
    }  # fmt: skip

    done = shelf.lab.product(
        "registry", "prune", "--config", shelf.config, "--yes", "--from", plan,
        workspace=shelf.folder / "workspace",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert set(shelf.registry.tags(VARIANT)) == {
        "latest", tag(0), tag(20), tag(30), "6.12.0", "6.12.1",
    }  # fmt: skip
    for kind in ("sig", "att"):
        assert not shelf.registry.has_beside(VARIANT, lost, kind)
    assert shelf.registry.digest(VARIANT, lost.replace(":", "-")) is None
    for digest in (newest, rollback, kernel):
        assert shelf.registry.objection(VARIANT, digest) is None
        # Provenance and full SBOM as well.
        verifier_of(shelf.context).verify(f"{shelf.destination}/{VARIANT}", digest)


def test_an_old_image_is_deleted_with_what_stands_beside_it(shelf, monkeypatch):
    """Images here are signed just now, so it is the clock of the command that is two months on."""
    old = shelf.publish("first of its day", tag(0))
    name = f"{shelf.destination}/{VARIANT}"
    referrer = verifier_of(shelf.context).verify(name, old).complete.full_sbom.referrer
    newest = shelf.publish("newest", "latest", tag(0))
    assert shelf.registry.has_beside(VARIANT, old, "sig")
    for variable, value in shelf.lab.env.items():
        monkeypatch.setenv(variable, value)

    def later(namespace):
        return replace(make_context(namespace), clock=lambda: time.time() + 60 * 86400)

    monkeypatch.setattr("immutable_base.cli.registry.make_context", later)
    done = command([
        "registry", "prune", "--yes", "--config", shelf.config, "--nights", "1", "--days", "10",
        "--workspace", shelf.folder / "workspace",
    ])  # fmt: skip
    assert done.code == 0, done.err
    assert shelf.registry.digest(VARIANT, old) is None
    for kind in ("sig", "att"):
        assert not shelf.registry.has_beside(VARIANT, old, kind)
    assert shelf.registry.digest(VARIANT, old.replace(":", "-")) is None
    assert shelf.registry.digest(VARIANT, referrer) is None
    assert set(shelf.registry.tags(VARIANT)) == {"latest", tag(0)}
    assert shelf.registry.objection(VARIANT, newest) is None
    verifier_of(shelf.context).verify(name, newest)
