"""Small images, published to a repository of their own in the lab's real registry, and its services."""

from __future__ import annotations

import dataclasses
import hashlib
import http.server
import os
import threading
import time
import uuid
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from immutable_base.config.load import load_settings
from immutable_base.context import Context
from immutable_base.process import run
from immutable_base.publish.publish import publish_variant
from immutable_base.publish.request import PublishRequest
from immutable_base.run.publisher import publisher_of
from immutable_base.run.verifier import verifier_of
from immutable_base.tls import set_up_tls
from immutable_base.verify import Verifier
from immutable_base_lab.core import ports
from immutable_base_lab.core.paths import LabPaths
from immutable_base_lab.lab import Lab
from support.complete import complete, write_sboms
from support.registry_watch import Registry, Witness
from support.small_images import write_layout

PROJECT = "immutable-base/immutable-base"
TAGS = ("latest", "20261123")
VARIANT = "base"


@dataclass
class Image:
    layout: Path
    digest: str
    sbom: Path


@dataclass
class Publications:
    """A repository of its own in the lab's registry, and everything to publish to it."""

    context: Context
    services: Lab
    folder: Path

    def image(self, words: str) -> Image:
        """Write a small image and an SBOM; the same words give the same image."""
        layout = self.folder / hashlib.sha256(words.encode()).hexdigest()[:8]
        digest = write_layout(layout, words)
        component = {"type": "library", "name": words, "version": "1"}
        document = {"bomFormat": "CycloneDX", "specVersion": "1.6", "components": [component]}
        sbom = write_sboms(layout / "sbom.json", document)
        return Image(layout=layout, digest=digest, sbom=sbom)

    def publish(self, image: Image, monkeypatch, context=None, **claims):
        token = self.services.token(**{"project": PROJECT, **claims})
        monkeypatch.setenv("SIGSTORE_ID_TOKEN", token)
        context = context or self.context
        request = PublishRequest(
            variant=VARIANT,
            repository=context.repository_of(VARIANT),
            digest=image.digest,
            epoch=0,
            layout=image.layout,
            sbom=image.sbom,
            **complete(context.repository_of(VARIANT), image.sbom),
            tags=TAGS,
            rests_on={},
        )
        return publish_variant(publisher_of(context), request)

    def with_settings(self, **tables) -> Context:
        """Return the context with some keys changed, table by table."""
        settings = self.context.settings
        changed = {
            name: getattr(settings, name).model_copy(update=keys) for name, keys in tables.items()
        }
        return dataclasses.replace(self.context, settings=settings.model_copy(update=changed))

    @property
    def repository(self) -> str:
        return f"{self.context.settings.registry.destination}/{VARIANT}"

    def verifier(self, context=None) -> Verifier:
        return verifier_of(context or self.context)

    def tags(self) -> dict[str, str]:
        return self.registry().tags(VARIANT)

    def registry(self) -> Registry:
        registry = Registry(self.context.config_path, programs=os.environ["PATH"])
        registry.path = self.context.settings.registry.destination.partition("/")[2]
        return registry


def publications_in(lab, tmp_path: Path) -> Publications:
    """Return a publisher whose repository nobody else has."""
    config = lab.state / "immutable-base.toml"
    settings = load_settings(config)
    host = settings.registry.destination.partition("/")[0]
    place = settings.registry.model_copy(update={"destination": f"{host}/test-{uuid.uuid4().hex}"})
    context = Context(
        settings=settings.model_copy(update={"registry": place}),
        config_path=config,
        layers_folder=tmp_path,
        workspace=tmp_path / "workspace",
        run=run,
        tls=set_up_tls(settings.authority(config.parent), tmp_path / "workspace"),
    )
    return Publications(
        context=context, services=Lab(LabPaths(root=lab.state)), folder=tmp_path / "images"
    )


@contextmanager
def tags_stay(publisher: Publications, image: Image):
    """Watch that the tags go on naming `image`."""
    expected = dict.fromkeys(TAGS, image.digest)
    assert publisher.tags() == expected
    with Witness(publisher.registry(), [VARIANT]) as witness:
        yield
    assert publisher.tags() == expected
    assert not witness.violations
    assert witness.looks > 0


@contextmanager
def answering(status: int, body: bytes, *, after: float = 0.0):
    """Yield the URL of a server that answers everything with this, after so many seconds."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            time.sleep(after)
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET  # noqa: N815  the name is the base class's

        def log_message(self, *_):
            pass

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def nobody_listens() -> str:
    return f"http://127.0.0.1:{ports.choose(['x'], {})['x']}"
