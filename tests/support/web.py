"""A web server on loopback that serves bytes, and fails in the ways in which mirrors fail."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import struct
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

HOST = "127.0.0.1"
STALLED = 5.0
"""Seconds after which a stalled answer ends at the latest."""


@dataclass(frozen=True)
class Reply:
    """One answer; `length` is what Content-Length claims, where that is not the truth."""

    body: bytes = b""
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    length: int | None = None


RESET = Reply(status=-1)
"""The connection is reset before anything was answered."""
STALL = Reply(status=-2)
"""Nothing comes until the client gives up."""


class Site:
    """What is served, by path; of a list of replies the last one stays."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.replies: dict[str, list[Reply]] = {}
        self.requests: list[str] = []
        self.headers: list[dict[str, str]] = []
        self.sent = 0
        """Bytes of bodies that were handed to the network."""
        self.closing = threading.Event()
        self.keeps = False
        """Whether a connection may be used again."""
        self.connections = 0

    def serve(self, path: str, *replies: Reply | bytes) -> str:
        """Answer a path with these replies, one after another, and return its URL."""
        self.replies[path] = [r if isinstance(r, Reply) else Reply(r) for r in replies]
        return self.url + path

    def serve_folder(self, folder: Path) -> None:
        """Serve every file below a folder, as it is now."""
        for file in folder.rglob("*"):
            if file.is_file():
                self.serve(f"/{file.relative_to(folder)}", file.read_bytes())

    def next_reply(self, path: str) -> Reply:
        replies = self.replies.get(path, [Reply(b"not here", 404)])
        return replies.pop(0) if len(replies) > 1 else replies[0]


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    site: Site

    def handle_error(self, request, client_address):
        """Clients that go away in the middle are what is being tested."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def setup(self) -> None:
        super().setup()
        self.server.site.connections += 1
        self.protocol_version = "HTTP/1.1" if self.server.site.keeps else "HTTP/1.0"

    def do_GET(self) -> None:
        site = self.server.site
        path = self.path.partition("?")[0]
        site.requests.append(path)
        site.headers.append(dict(self.headers))
        reply = site.next_reply(path)
        self.close_connection = not site.keeps
        if reply is RESET:
            self.close_connection = True
            linger = struct.pack("ii", 1, 0)
            self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        elif reply is STALL:
            site.closing.wait(STALLED)
        else:
            self._answer(site, reply)

    do_HEAD = do_GET  # noqa: N815  the name is the base class's

    def _answer(self, site: Site, reply: Reply) -> None:
        self.send_response(reply.status)
        for name, value in reply.headers.items():
            self.send_header(name, value)
        length = len(reply.body) if reply.length is None else reply.length
        if length >= 0 and reply.status != 204:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        if self.command == "HEAD":
            return
        for start in range(0, len(reply.body), 1 << 16):
            self.wfile.write(reply.body[start : start + (1 << 16)])
            site.sent += 1 << 16

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the parent's name
        """Tests print nothing."""


@contextlib.contextmanager
def serving(certificate: Certificate | None = None) -> Iterator[Site]:
    """Run a server; with a certificate over TLS."""
    server = _Server((HOST, 0), _Handler)
    scheme = "http"
    if certificate is not None:
        scheme = "https"
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        tls.load_cert_chain(certificate.chain, certificate.key)
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    server.site = Site(f"{scheme}://{HOST}:{server.server_address[1]}")
    thread = threading.Thread(target=lambda: server.serve_forever(0.02), daemon=True)
    thread.start()
    try:
        yield server.site
    finally:
        server.site.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass(frozen=True)
class Certificate:
    """PEM files of a server, and of the authority that vouches for it."""

    chain: Path
    key: Path
    authority: Path


def make_certificate(folder: Path, name: str = "Test CA") -> Certificate:
    """Make an authority and a certificate by it for the loopback address."""
    folder.mkdir(parents=True, exist_ok=True)
    authority_key, key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
    authority = _certificate(name, None, authority_key, authority_key, authority=True)
    own = _certificate(HOST, authority.subject, key, authority_key, authority=False)
    files = Certificate(folder / "server.pem", folder / "server.key", folder / "authority.pem")
    files.chain.write_bytes(own.public_bytes(serialization.Encoding.PEM))
    files.authority.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    files.key.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return files


def _certificate(name, issuer, key, signing_key, *, authority):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    day = dt.timedelta(days=1)
    public = signing_key.public_key()
    usage = dict.fromkeys(
        (
            "content_commitment", "key_encipherment", "data_encipherment", "key_agreement",
            "encipher_only", "decipher_only",
        ),
        False,
    )  # fmt: skip
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer or subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - day)
        .not_valid_after(now + day)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(public), critical=False)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not authority,
                key_cert_sign=authority,
                crl_sign=authority,
                **usage,
            ),
            critical=True,
        )
    )
    if not authority:
        address = x509.IPAddress(ipaddress.ip_address(HOST))
        builder = builder.add_extension(x509.SubjectAlternativeName([address]), critical=False)
    return builder.sign(signing_key, hashes.SHA256())
