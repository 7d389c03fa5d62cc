"""A few requests over TLS: limited in time and size, and nothing is written to disk."""

from __future__ import annotations

import base64
import http.client
import ipaddress
import logging
import re
import ssl
import urllib.parse
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from os import environ

from immutable_base.errors import RemoteError, TooLargeError, UnavailableError
from immutable_base.verification.deadline import Deadline
from immutable_base.verification.tls_trust import TlsTrust

log = logging.getLogger(__name__)
REDIRECTS = 5
ONE_WAIT = 20.0
"""Seconds that one read may take; the whole has the deadline."""
CHUNK = 1 << 16
_MAY_PASS = (
    ConnectionError, TimeoutError, http.client.BadStatusLine, http.client.IncompleteRead,
)  # fmt: skip
"""What an attempt later may not meet any more; a certificate that is not trusted stays so."""
_HOST = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server said."""

    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    redirected: bool = False
    """Whether another host than the one that was asked has said it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who asks: the trust in TLS, and how long all of it may take."""

    deadline: Deadline
    tls: TlsTrust
    kept: dict[str, http.client.HTTPConnection] = field(default_factory=dict)
    """Open connections, by host and port."""

    def get(self, url: str, headers: Mapping[str, str], largest: int) -> Answer:
        """Return the answer to a GET, after redirections; a body over `largest` is an error.

        `Authorization` goes to the first host only. Raises RemoteError, TooLargeError if what is
        too large is what was asked for, and no error of the server's.
        """
        with self._naming(url):
            host = urllib.parse.urlsplit(url).netloc
            return self._follow(url, host, dict(headers), largest)

    def send(
        self, method: str, url: str, headers: Mapping[str, str], largest: int, body: bytes = b""
    ) -> Answer:
        """Return the answer to a request that changes something; no redirection is followed.

        Raises as `get`.
        """
        with self._naming(url):
            parts = urllib.parse.urlsplit(url)
            _require_https(parts)
            answer = self._ask(parts, headers, largest, method, body)
            log.debug("%s for %s %s", answer.status, method, url)
            return answer

    @contextmanager
    def _naming(self, url: str) -> Iterator[None]:
        try:
            yield
        except (OSError, http.client.HTTPException, ValueError) as error:
            self.deadline.remaining()
            kind = UnavailableError if isinstance(error, _MAY_PASS) else RemoteError
            raise kind(
                f"nothing can be known: {_host_of(url)} cannot be asked",
                details=f"{type(error).__name__}: {error}"[:500],
                hint="is the registry up, and does this machine trust its certificate?",
            ) from error

    def _follow(self, url: str, first: str, headers: dict[str, str], largest: int) -> Answer:
        for _ in range(REDIRECTS):
            parts = urllib.parse.urlsplit(url)
            _require_https(parts)
            if parts.netloc != first:
                headers.pop("Authorization", None)
            answer = self._ask(parts, headers, largest)
            log.debug("%s for %s", answer.status, url)
            if answer.status not in {301, 302, 303, 307, 308}:
                return replace(answer, redirected=parts.netloc != first)
            url = urllib.parse.urljoin(url, answer.headers.get("location", ""))
        raise RemoteError(f"nothing can be known: {first} redirects more than {REDIRECTS} times")

    def _ask(
        self,
        parts: urllib.parse.SplitResult,
        headers: Mapping[str, str],
        largest: int,
        method: str = "GET",
        body: bytes = b"",
    ) -> Answer:
        kept = self.kept.pop(parts.netloc, None)
        if kept is not None:
            try:
                return self._exchange(kept, parts, headers, largest, method, body)
            except (ConnectionError, http.client.BadStatusLine):
                log.debug("%s has ended the connection", parts.netloc)
        try:
            return self._exchange(self._connection(parts), parts, headers, largest, method, body)
        except ssl.SSLCertVerificationError:
            if not self.tls.widen():
                raise
        return self._exchange(self._connection(parts), parts, headers, largest, method, body)

    def _exchange(
        self,
        connection: http.client.HTTPConnection,
        parts: urllib.parse.SplitResult,
        headers: Mapping[str, str],
        largest: int,
        method: str,
        body: bytes,
    ) -> Answer:
        """Ask over a connection; it is kept for the next question if the answer ended in order."""
        try:
            target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            if connection.sock is not None:
                connection.sock.settimeout(min(ONE_WAIT, self.deadline.remaining()))
            sent = {**headers, "Accept-Encoding": "identity"}
            connection.request(method, target, body=body or None, headers=sent)
            with connection.getresponse() as response:
                if response.headers.get("Content-Encoding", "identity") != "identity":
                    raise ValueError("an answer is encoded, though nobody asked for it")
                body = self._read(connection, response, largest)
                if not response.will_close:
                    self.kept[parts.netloc] = connection
                return Answer(
                    status=response.status,
                    headers=_joined(response.getheaders()),
                    body=body,
                )
        finally:
            if self.kept.get(parts.netloc) is not connection:
                connection.close()

    def close(self) -> None:
        """End what is still open."""
        for connection in self.kept.values():
            connection.close()
        self.kept.clear()

    def _connection(self, parts: urllib.parse.SplitResult) -> http.client.HTTPConnection:
        host, port = parts.hostname or "", parts.port
        wait = min(ONE_WAIT, self.deadline.remaining())
        proxy = _proxy_for(host)
        if proxy is None:
            return http.client.HTTPSConnection(host, port, timeout=wait, context=self.tls.context)
        connection = http.client.HTTPSConnection(
            proxy.hostname or "", proxy.port, timeout=wait, context=self.tls.context
        )
        connection.set_tunnel(host, port or 443, headers=_proxy_login(proxy))
        return connection

    def _read(
        self,
        connection: http.client.HTTPConnection,
        response: http.client.HTTPResponse,
        largest: int,
    ) -> bytes:
        content = bytearray()
        while True:
            left = self.deadline.remaining()
            if connection.sock is not None:
                connection.sock.settimeout(min(ONE_WAIT, left))
            chunk = response.read1(CHUNK)
            if not chunk:
                break
            content += chunk
            if len(content) > largest:
                kind = TooLargeError if response.status == 200 else RemoteError
                raise kind(f"the registry's answer is larger than {largest} bytes")
        if response.length:
            raise http.client.IncompleteRead(bytes(content[:0]), response.length)
        return bytes(content)


def _joined(lines: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return header lines by name; several of one name are one list. Source: RFC 9110, 5.3."""
    found: dict[str, str] = {}
    for name, value in lines:
        before = found.get(name.lower())
        found[name.lower()] = value if before is None else f"{before}, {value}"
    return found


def _host_of(url: str) -> str:
    """Return the host and port of an address, for words; the whole of one that is none."""
    try:
        return urllib.parse.urlsplit(url).netloc or url[:200]
    except ValueError:
        return url[:200]


def _require_https(parts: urllib.parse.SplitResult) -> None:
    if parts.scheme != "https":
        raise ValueError("only https is spoken")
    if not _HOST.fullmatch(parts.hostname or ""):
        raise ValueError("there is no host in the address")


def is_loopback(host: str) -> bool:
    """Tell whether a host is this machine, by its name alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _proxy_for(host: str) -> urllib.parse.SplitResult | None:
    """Return the proxy that the environment names for a host; loopback is reached directly."""
    if is_loopback(host) or not any(name.lower().endswith("_proxy") for name in environ):
        return None
    import urllib.request  # noqa: PLC0415  it brings much along, and most have no proxy

    if urllib.request.proxy_bypass(host):
        return None
    found = urllib.request.getproxies().get("https", "")
    return urllib.parse.urlsplit(found if "//" in found else f"//{found}") if found else None


def _proxy_login(proxy: urllib.parse.SplitResult) -> dict[str, str]:
    """Return the header with the login that a proxy's address has. Source: RFC 9110, 11.7.1."""
    if proxy.username is None:
        return {}
    words = (urllib.parse.unquote(word or "") for word in (proxy.username, proxy.password))
    login = base64.b64encode(":".join(words).encode()).decode("ascii")
    return {"Proxy-Authorization": f"Basic {login}"}
