"""A small OCI registry on loopback, over TLS: pages of tags, deletion, uploads, and faults.

Source of its answers: OCI Distribution Specification 1.1. What a real one does is tried in
tests/lab/test_prune.py.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
import threading
import urllib.parse
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from support.forge import OCI, OCI_CONFIG, MemoryRegistry, compact, digest_of
from support.web import HOST, Certificate, Reply

INDEX = "application/vnd.oci.image.index.v1+json"
BASE_DIGEST = "org.opencontainers.image.base.digest"


@dataclass
class Repository:
    """One repository: tags, manifests and blobs."""

    tags: dict[str, str] = field(default_factory=dict)
    manifests: dict[str, bytes] = field(default_factory=dict)
    blobs: dict[str, bytes] = field(default_factory=dict)

    def add(self, raw: bytes, *tags: str) -> str:
        """Put a manifest in, under some tags, and return its digest."""
        self.manifests[digest_of(raw)] = raw
        self.tags.update(dict.fromkeys(tags, digest_of(raw)))
        return digest_of(raw)

    def image(self, words: str, *tags: str, labels=None, annotations=None, subject=None) -> str:
        """Put an image in; `words` make it another one than others."""
        config = compact({
            "os": "linux", "architecture": "amd64", "created": "1970-01-01T00:00:00Z",
            "config": {"Labels": {"words": words, **(labels or {})}},
        })  # fmt: skip
        self.blobs[digest_of(config)] = config
        manifest = {
            "schemaVersion": 2,
            "mediaType": OCI,
            "config": {"mediaType": OCI_CONFIG, "size": len(config), "digest": digest_of(config)},
            "layers": [],
        }
        if annotations:
            manifest["annotations"] = annotations
        if subject:
            manifest["subject"] = {"mediaType": OCI, "size": 1, "digest": subject}
        return self.add(compact(manifest), *tags)

    def index(self, *children: str, tags=()) -> str:
        """Put an index of some manifests in."""
        entries = [{"mediaType": OCI, "size": 1, "digest": child} for child in children]
        return self.add(
            compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}), *tags
        )

    def beside(self, digest: str, kind: str) -> str:
        """Put something beside an image that only looks like a signature."""
        return self.image(f"{kind} of {digest}", f"{digest.replace(':', '-')}{kind}")

    def sign(self, digest: str, kind: str, *layers) -> str:
        """Put real signatures or attestations beside an image."""
        made = MemoryRegistry()
        made.attach(digest, kind, *layers)
        self.blobs.update(made.blobs)
        tag = f"{digest.replace(':', '-')}.{kind}"
        return self.add(made.manifests[tag], tag)


@dataclass
class Registry:
    """What the registry has, and how it behaves."""

    host: str = ""
    repositories: dict[str, Repository] = field(default_factory=dict)
    requests: list[tuple[str, str]] = field(default_factory=list)
    queries: list[dict[str, str]] = field(default_factory=list)
    replies: dict[tuple[str, str], list[Reply]] = field(default_factory=dict)
    """Other answers, by method and path below `/v2/`; of a list the last one stays."""
    page: int = 1000
    """Tags that it lists at once, whatever it is asked for."""
    links: bool = True
    """Whether it says that there is another page."""
    has_referrers: bool = True
    deletes_tags: str = "alone"
    """`alone`, `never`, or `with the manifest`, as it should not."""
    deletes_manifests: bool = True
    after_delete: list = field(default_factory=list)
    """Called with each (repository, reference) that was deleted."""
    uploads: int = 0

    def repository(self, path: str) -> Repository:
        return self.repositories.setdefault(path, Repository())

    def written(self) -> list[tuple[str, str]]:
        """Return the requests that change something."""
        return [request for request in self.requests if request[0] not in {"GET", "HEAD"}]


def _error(status: int, code: str) -> Reply:
    return Reply(json.dumps({"errors": [{"code": code, "message": code}]}).encode(), status)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # Else each answer on a kept connection waits for 40 ms.
    registry: Registry

    def _serve(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = urllib.parse.urlsplit(self.path)
        path = parts.path.removeprefix("/v2/")
        self.registry.requests.append((self.command, path))
        self.registry.queries.append(dict(urllib.parse.parse_qsl(parts.query)))
        planned = self.registry.replies.get((self.command, path))
        if planned:
            reply = planned.pop(0) if len(planned) > 1 else planned[0]
        else:
            reply = self._answer(path, dict(urllib.parse.parse_qsl(parts.query)), body)
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = _serve  # noqa: N815  the base class's names

    def _answer(self, path: str, query: dict[str, str], body: bytes) -> Reply:
        found = re.fullmatch(r"(.+)/(tags/list|manifests|blobs|referrers)/?(.*)", path)
        if found is None:
            return _error(404, "NOT_FOUND")
        name, what, reference = found.groups()
        if what == "blobs" and reference.startswith("uploads"):
            return self._upload(name, reference)
        repository = self.registry.repositories.get(name)
        if repository is None:
            return _error(404, "NAME_UNKNOWN")
        answers = {
            "tags/list": lambda: self._tags(name, repository, query),
            "referrers": lambda: self._referrers(repository, reference),
            "blobs": lambda: self._blob(repository, reference),
            "manifests": lambda: self._manifest(name, repository, reference, body),
        }
        return answers[what]()

    def _blob(self, repository: Repository, digest: str) -> Reply:
        raw = repository.blobs.get(digest)
        return Reply(raw) if raw is not None else _error(404, "BLOB_UNKNOWN")

    def _tags(self, name: str, repository: Repository, query: dict[str, str]) -> Reply:
        names = sorted(tag for tag in repository.tags if tag > query.get("last", ""))
        number = min(int(query.get("n", 1000)), self.registry.page)
        page, headers = names[:number], {}
        if len(names) > number and self.registry.links:
            where = urllib.parse.urlencode({"n": number, "last": page[-1]})
            headers["Link"] = f'</v2/{name}/tags/list?{where}>; rel="next"'
        return Reply(json.dumps({"name": name, "tags": page or None}).encode(), 200, headers)

    def _referrers(self, repository: Repository, digest: str) -> Reply:
        if not self.registry.has_referrers:
            return Reply(b"404 page not found", 404)
        entries = [
            {"mediaType": OCI, "size": len(raw), "digest": found}
            for found, raw in repository.manifests.items()
            if (json.loads(raw).get("subject") or {}).get("digest") == digest
        ]
        return Reply(compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}))

    def _manifest(self, name: str, repository: Repository, reference: str, body: bytes) -> Reply:
        if self.command == "PUT":
            repository.add(body, *([] if ":" in reference else [reference]))
            return Reply(b"", 201)
        digest = repository.tags.get(reference, reference)
        if digest not in repository.manifests:
            return _error(404, "MANIFEST_UNKNOWN")
        if self.command != "DELETE":
            return Reply(repository.manifests[digest])
        by_tag = reference in repository.tags
        if not self.registry.deletes_manifests or (
            by_tag and self.registry.deletes_tags == "never"
        ):
            return _error(405, "UNSUPPORTED")
        if by_tag and self.registry.deletes_tags == "alone":
            del repository.tags[reference]
        else:
            del repository.manifests[digest]
            for tag in [tag for tag, named in repository.tags.items() if named == digest]:
                del repository.tags[tag]
        for call in self.registry.after_delete:
            call(name, reference)
        return Reply(b"", 202)

    def _upload(self, name: str, reference: str) -> Reply:
        if self.command == "POST":
            self.registry.uploads += 1
            return Reply(b"", 202, {"Location": f"/v2/{name}/blobs/uploads/one?_state=x"})
        if self.command == "DELETE":
            self.registry.uploads -= 1
            return Reply(b"", 204)
        return _error(404, "BLOB_UPLOAD_UNKNOWN")

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
        """Tests print nothing."""


@contextlib.contextmanager
def serving_registry(certificate: Certificate) -> Iterator[Registry]:
    """Run a registry."""
    registry = Registry()
    handler = type("Handler", (_Handler,), {"registry": registry})
    server = ThreadingHTTPServer((HOST, 0), handler)
    server.daemon_threads = True
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(certificate.chain, certificate.key)
    server.socket = tls.wrap_socket(server.socket, server_side=True)
    registry.host = f"{HOST}:{server.server_address[1]}"
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield registry
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
