"""Fetch files over HTTP with short, bounded retries; nothing is believed without a checksum."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx

from immutable_base.errors import CommandError, ConfigurationError, RemoteError, VerificationError
from immutable_base.model.checksum import Checksum
from immutable_base.process import is_interrupted
from immutable_base.workspace import file_digest, whole_file

log = logging.getLogger(__name__)
T = TypeVar("T")

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
ATTEMPTS = 3
FIRST_WAIT, LONGEST_WAIT = 0.5, 4.0
"""Seconds between two attempts, doubled each time; a run does not wait long for one mirror."""
SMALL = 4 << 20
"""Bytes; repomd.xml, signatures and keys are far below."""
LARGEST = 8 << 30
"""Bytes of a file whose repository declares no size: a body without an end fills no disk."""
SLOWEST, PATIENCE = 1000, 30.0
"""Bytes a second, and for how many seconds fewer are borne with, as dnf does. Source: dnf.conf(5),
minrate and timeout."""
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
PROXIES = frozenset({"http_proxy", "https_proxy", "all_proxy", "no_proxy"})
NOT_FOUND = frozenset({404, 410})


class NotFoundError(RemoteError):
    """The server has no such file, and says so."""


class _TransientError(Exception):
    """The server may answer another time."""


class Downloader:
    """A client that trusts the system's CAs and the configured private one."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def fetch_small(self, url: str, what: str) -> bytes:
        """Return a small file; `what` names it in errors.

        Raises RemoteError if it cannot be fetched, NotFoundError if the server has no such file.
        """
        if url.startswith("file:"):
            return _local(url, what)
        return _retrying(lambda: self._fetch_small(url, what), url, what)

    def fetch_file(
        self, url: str, what: str, checksum: Checksum, target: Path, *, size: int = 0
    ) -> Path:
        """Fetch a file into a content-addressed cache, unless it is there; return its path.

        Where `size` is not 0, no more bytes are read than that. Raises RemoteError if it cannot be
        fetched, VerificationError if it is not what `checksum` requires.
        """
        if target.is_file() and file_digest(target, checksum.algorithm) == checksum.hex:
            os.utime(target)  # Still in use: see `prune`.
            return target
        return _retrying(lambda: self._fetch_file(url, what, checksum, target, size), url, what)

    def _fetch_small(self, url: str, what: str) -> bytes:
        with self._client.stream("GET", url) as response:
            _check_status(response, what)
            content = bytearray()
            for chunk in _flowing(response.iter_bytes(), what):
                content += chunk
                if len(content) > SMALL:
                    raise RemoteError(f"{what} is larger than {SMALL >> 20} MiB: {url}")
            return bytes(content)

    def _fetch_file(self, url: str, what: str, checksum: Checksum, target: Path, size: int) -> Path:
        with (
            whole_file(target, durable=False) as file,
            self._client.stream("GET", url) as response,
        ):
            _check_status(response, what)
            digest, read = hashlib.new(checksum.algorithm), 0
            # Raw bytes: the checksum is of the file, not of what a Content-Encoding makes of it.
            for chunk in _flowing(response.iter_raw(), what):
                digest.update(chunk)
                read += len(chunk)
                if size and read > size:
                    break
                if read > LARGEST:
                    raise VerificationError(
                        f"{what} is larger than {LARGEST >> 30} GiB", details=url
                    )
                file.write(chunk)
            _require(checksum, digest.hexdigest(), what, url)
        return target


@contextmanager
def open_downloader(authority: Path | None) -> Iterator[Downloader]:
    """Yield a client that trusts the system's CAs and that of `authority`, a PEM file.

    Connections are closed at the end. Raises ConfigurationError if the file holds no certificate.
    """
    trust = ssl.create_default_context()
    # httpx reads them when the client is made, and refuses what it cannot read in many ways.
    named = sorted(name for name in os.environ if name.lower() in PROXIES)
    if authority is not None:
        try:
            trust.load_verify_locations(str(authority))
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"registry.ca_bundle: {authority} holds no certificate", details=str(error)
            ) from error
    headers = {"Accept-Encoding": "identity"}
    try:
        client = httpx.Client(verify=trust, timeout=TIMEOUT, follow_redirects=True, headers=headers)
    except (ImportError, ValueError, httpx.InvalidURL) as error:
        # Without the error's own words: a proxy's address may have a password in it.
        raise ConfigurationError(
            f"the proxies that the environment names cannot be used: {', '.join(named)}",
            hint="a proxy is http://host:port, an exception is a host name or an address without "
            "brackets; SOCKS and networks of IPv6 are not supported",
        ) from error
    with client:
        yield Downloader(client)


def _flowing(chunks: Iterator[bytes], what: str) -> Iterator[bytes]:
    """Yield what comes, as long as that is no trickle and nobody interrupts."""
    started, read = time.monotonic(), 0
    for chunk in chunks:
        if is_interrupted():
            raise CommandError(f"{what} was not fetched: the run is being interrupted")
        read += len(chunk)
        seconds = time.monotonic() - started
        if seconds > PATIENCE:
            if read < SLOWEST * seconds:
                raise _TransientError(f"fewer than {SLOWEST} bytes came in a second")
            started, read = time.monotonic(), 0
        yield chunk


def prune(folder: Path, seconds: float) -> None:
    """Remove what a cache has not used for so long; what is needed again is fetched again."""
    oldest = time.time() - seconds
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def _require(checksum: Checksum, actual: str, what: str, url: str) -> None:
    """Raise VerificationError, naming the file, unless the digest is the expected one."""
    if actual != checksum.hex:
        raise VerificationError(
            f"{what} is not the one that its repository describes",
            details=f"{url}\nexpected {checksum.algorithm} {checksum.hex}\nreceived {actual}",
            hint="a mirror in the middle of an update, or somebody changed it; try again later",
        )


def _check_status(response: httpx.Response, what: str) -> None:
    if response.status_code in TRANSIENT:
        raise _TransientError(f"the server answered {response.status_code}")
    if response.status_code != httpx.codes.OK:
        kind = NotFoundError if response.status_code in NOT_FOUND else RemoteError
        raise kind(
            f"{what} cannot be fetched: the server answered {response.status_code}",
            details=str(response.url),
        )


def _retrying(action: Callable[[], T], url: str, what: str) -> T:
    attempt = 1
    while True:
        if is_interrupted():
            raise CommandError(f"{what} was not fetched: the run is being interrupted")
        try:
            return action()
        except (httpx.TransportError, _TransientError) as error:
            if attempt == ATTEMPTS:
                raise _unreachable(what, url, error) from error
            log.info("%s: attempt %d failed: %s", what, attempt, error)
        # ValueError: a redirect to a host name that no DNS can have, an URL that is none.
        except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
            raise _unreachable(what, url, error) from error
        time.sleep(min(FIRST_WAIT * 2 ** (attempt - 1), LONGEST_WAIT))
        attempt += 1


def _unreachable(what: str, url: str, error: Exception) -> RemoteError:
    return RemoteError(
        f"{what} cannot be fetched", details=f"{url}\n{str(error) or type(error).__name__}"
    )


def _local(url: str, what: str) -> bytes:
    path = Path(url2pathname(urlsplit(url).path))
    try:
        return path.read_bytes()
    except OSError as error:
        raise RemoteError(f"{what} cannot be read: {error.strerror}", details=str(path)) from error
