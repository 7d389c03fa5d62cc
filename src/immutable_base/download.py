"""Fetch files over HTTP with short, bounded retries; nothing is believed without a checksum."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import os
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

import httpx
import tenacity

from immutable_base.context import Context
from immutable_base.errors import CommandError, ConfigurationError, RemoteError, VerificationError
from immutable_base.process import is_interrupted

log = logging.getLogger(__name__)
T = TypeVar("T")

TIMEOUT = httpx.Timeout(30.0, connect=10.0)
ATTEMPTS = 3
LONGEST_WAIT = 4.0
"""Seconds between two attempts; a night does not wait long for one mirror."""
SMALL = 4 << 20
"""Bytes; repomd.xml, signatures and keys are far below."""
LARGEST = 8 << 30
"""Bytes of a file whose repository declares no size: a body without an end fills no disk."""
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
ALGORITHMS = frozenset({"sha256", "sha384", "sha512"})
"""Checksums that still hold; sha1 and md5 do not."""


class _TransientError(Exception):
    """The server may answer another time."""


class Remote:
    """A client that trusts the system's CAs and the configured private one."""

    def __init__(self, client: httpx.Client) -> None:
        self._client = client

    def small(self, url: str, what: str) -> bytes:
        """Return a small file; `what` names it in errors.

        Raises RemoteError if it cannot be had.
        """
        if url.startswith("file:"):
            return _local(url, what)
        return _retrying(lambda: self._small(url, what), url, what)

    def to_file(self, url: str, what: str, checksum: Checksum, target: Path) -> Path:
        """Fetch a file into a content-addressed cache, unless it is there; return its path.

        Raises RemoteError if it cannot be had, VerificationError if it is not what `checksum`
        says.
        """
        if target.is_file() and _digest(target, checksum.algorithm) == checksum.hex:
            os.utime(target)  # Still in use: see `prune`.
            return target
        target.parent.mkdir(parents=True, exist_ok=True)
        return _retrying(lambda: self._to_file(url, what, checksum, target), url, what)

    def _small(self, url: str, what: str) -> bytes:
        with self._client.stream("GET", url) as response:
            _check_status(response, what)
            content = bytearray()
            for chunk in response.iter_bytes():
                content += chunk
                if len(content) > SMALL:
                    raise RemoteError(f"{what} is larger than {SMALL >> 20} MiB: {url}")
            return bytes(content)

    def _to_file(self, url: str, what: str, checksum: Checksum, target: Path) -> Path:
        handle, name = tempfile.mkstemp(dir=target.parent, prefix=".fetch-")
        partial = Path(name)
        try:
            with os.fdopen(handle, "wb") as file, self._client.stream("GET", url) as response:
                _check_status(response, what)
                digest, size = hashlib.new(checksum.algorithm), 0
                # Raw bytes: the checksum is of the file, not of what a Content-Encoding makes of
                # it.
                for chunk in response.iter_raw(1 << 20):
                    if is_interrupted():
                        raise CommandError(f"{what} was not fetched: the run is being interrupted")
                    digest.update(chunk)
                    size += len(chunk)
                    if checksum.size and size > checksum.size:
                        break
                    if size > LARGEST:
                        raise VerificationError(
                            f"{what} is larger than {LARGEST >> 30} GiB", details=url
                        )
                    file.write(chunk)
            checksum.require(digest.hexdigest(), what, url)
            partial.chmod(0o644)
            return partial.rename(target)
        finally:
            partial.unlink(missing_ok=True)


class Checksum:
    """What a file must be."""

    __slots__ = ("algorithm", "hex", "size")

    def __init__(self, algorithm: str, hexadecimal: str, size: int = 0) -> None:
        if algorithm not in ALGORITHMS:
            raise VerificationError(
                f"a {algorithm} checksum proves nothing any more",
                hint=f"the repository must use one of {', '.join(sorted(ALGORITHMS))}",
            )
        self.algorithm, self.hex, self.size = algorithm, hexadecimal, size

    def require(self, actual: str, what: str, url: str) -> None:
        """Raise VerificationError, naming the file, unless the digest is the expected one."""
        if actual != self.hex:
            raise VerificationError(
                f"{what} is not the one that its repository describes",
                details=f"{url}\nexpected {self.algorithm} {self.hex}\nreceived {actual}",
                hint="a mirror in the middle of an update, or somebody changed it; try again later",
            )


@contextmanager
def open_remote(context: Context) -> Iterator[Remote]:
    """Yield a client; connections are closed at the end."""
    trust = ssl.create_default_context()
    authority = context.ca_bundle()
    if authority is not None:
        try:
            trust.load_verify_locations(str(authority))
        except ssl.SSLError as error:
            raise ConfigurationError(
                f"registry.ca_bundle: {authority} holds no certificate", details=str(error)
            ) from error
    headers = {"Accept-Encoding": "identity"}
    with httpx.Client(
        verify=trust, timeout=TIMEOUT, follow_redirects=True, headers=headers
    ) as client:
        yield Remote(client)


def prune(folder: Path, seconds: float) -> None:
    """Remove what a cache has not used for so long; what is needed again is fetched again."""
    oldest = time.time() - seconds
    for path in folder.iterdir() if folder.is_dir() else ():
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime < oldest:
                path.unlink()


def _check_status(response: httpx.Response, what: str) -> None:
    if response.status_code in TRANSIENT:
        raise _TransientError(f"the server answered {response.status_code}")
    if response.status_code != httpx.codes.OK:
        raise RemoteError(
            f"{what} cannot be fetched: the server answered {response.status_code}",
            details=str(response.url),
        )


def _retrying(action: Callable[[], T], url: str, what: str) -> T:
    attempts = tenacity.Retrying(
        stop=tenacity.stop_after_attempt(ATTEMPTS),
        wait=tenacity.wait_exponential(multiplier=0.5, max=LONGEST_WAIT),
        retry=tenacity.retry_if_exception_type((httpx.TransportError, _TransientError)),
        before_sleep=tenacity.before_sleep_log(log, logging.INFO),
        reraise=True,
    )
    try:
        return attempts(action)
    # UnicodeError: a mirror that redirects to a host whose name no DNS can have.
    except (httpx.HTTPError, httpx.InvalidURL, UnicodeError, _TransientError) as error:
        raise RemoteError(
            f"{what} cannot be fetched", details=f"{url}\n{str(error) or type(error).__name__}"
        ) from error


def _local(url: str, what: str) -> bytes:
    path = Path(url2pathname(urlsplit(url).path))
    try:
        return path.read_bytes()
    except OSError as error:
        raise RemoteError(f"{what} cannot be read: {error.strerror}", details=str(path)) from error


def _digest(path: Path, algorithm: str) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()
