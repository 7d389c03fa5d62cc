"""One repository of an OCI registry, read over HTTP; source: OCI Distribution Specification 1.1."""

from __future__ import annotations

import re
import time
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass, field

from immutable_base.errors import RemoteError, TooLargeError, UnavailableError
from immutable_base.verification.client import Answer, Client
from immutable_base.verification.image import MANIFESTS
from immutable_base.verification.login import login_for
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import parse_json

LARGEST_MANIFEST = 8 << 20
"""Bytes; registries take 4 MiB, and a thousand signatures need about 7."""
INDEXES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
ACCEPT = ", ".join((*MANIFESTS, *INDEXES))
TRANSIENT = frozenset({408, 425, 429, 500, 502, 503, 504})
WAITS = (0.3, 1.0)
"""Seconds before the second and the third attempt."""
LONGEST_WAIT = 10
"""Seconds that a registry may ask us to wait (`Retry-After`); one that wants more is left alone."""
_BEARER = re.compile(r"(?:^|,)\s*bearer\s+(.*)", re.IGNORECASE)
"""Of several ways to log in the one by token: it is for those without a login, too."""
_CHALLENGE = re.compile(r'(?<![a-z])([a-z]+)\s*=\s*"([^"]*)"', re.IGNORECASE)
"""Begins with a word only: else a long one takes a time that grows with its square."""
_TOKEN = re.compile(r"[A-Za-z0-9._~+/=-]{1,16384}")
"""Source: RFC 6750, 2.1; anything else could end the header."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """One request, below a repository."""

    method: str
    path: str
    media_type: str
    body: bytes


@dataclass(slots=True, kw_only=True)
class RegistryReader:
    """A repository as anybody with this login sees it."""

    client: Client
    repository: str
    """`host[:port]/path`."""
    environment: Mapping[str, str]
    actions: str = "pull"
    """What a token is asked for; source: Docker's token specification, `scope`."""
    _authorization: dict[str, str] = field(default_factory=dict)

    def manifest(self, reference: str) -> bytes | None:
        """Return the manifest that a tag or digest names, None if there is none.

        Raises RemoteError if the registry does not tell.
        """
        return self._get(f"manifests/{reference}", LARGEST_MANIFEST)

    def blob(self, digest: str, size: int) -> bytes | None:
        """Return a blob of at most `size` bytes, None if there is none.

        Raises RemoteError if the registry does not tell, TooLargeError if it sends more.
        """
        return self._get(f"blobs/{digest}", size)

    def close(self) -> None:
        """End the connections to the registry."""
        self.client.close()

    def ask(
        self,
        path: str,
        largest: int,
        *,
        method: str = "GET",
        media_type: str = "",
        body: bytes = b"",
    ) -> Answer:
        """Return the answer about a path below the repository, whatever it is.

        The login is given if the registry asks for one; a service that is overloaded, or has closed
        the connection, is asked again. `media_type` is that of the `body`. Raises RemoteError if
        there is no answer.
        """
        question = _Asked(method=method, path=path, media_type=media_type, body=body)
        answer = self._patiently(question, largest)
        # The login is the registry's: a host that it redirects to may not say who gets it.
        if answer.status == 401 and not answer.redirected:
            self._authorize(answer, "pull,push" if method == "PUT" else self.actions)
            answer = self._patiently(question, largest)
        return answer

    def refusal(self, answer: Answer) -> RemoteError:
        """Return the error for an answer that tells nothing about what is there."""
        kind = UnavailableError if answer.status in TRANSIENT else RemoteError
        return kind(
            f"nothing can be known: the registry answers {answer.status} about {self.repository}",
            details=answer.body[:1000].decode("utf-8", "replace"),
            hint="is the login right (`skopeo login`, or REGISTRY_AUTH_FILE)?"
            if answer.status in {401, 403}
            else "try again later",
        )

    def _get(self, path: str, largest: int) -> bytes | None:
        answer = self.ask(path, largest)
        if answer.status == 200:
            return answer.body
        if answer.status == 404:
            return None
        raise self.refusal(answer)

    def _patiently(self, question: _Asked, largest: int) -> Answer:
        for wait in WAITS:
            try:
                answer = self._send(question, largest)
            except UnavailableError as error:
                if isinstance(error.__cause__, TimeoutError):
                    raise  # That was wait enough.
                asked = 0
            else:
                asked = _asked_to_wait(answer)
                if answer.status not in TRANSIENT or asked > LONGEST_WAIT:
                    break
            time.sleep(min(max(wait, asked), self.client.deadline.remaining()))
        else:
            answer = self._send(question, largest)
        if answer.status == 200 and len(answer.body) > largest:
            raise TooLargeError(
                f"the registry sends more than the {largest} bytes of {question.path}"
            )
        return answer

    def _send(self, question: _Asked, largest: int) -> Answer:
        host, _, name = self.repository.partition("/")
        url = f"https://{api_host(host)}/v2/{name}/{question.path}"
        accept = ACCEPT if question.path.startswith("manifests/") else "*/*"
        headers = {"Accept": accept, **self._authorization}
        # An error's text must find room even where little was asked for.
        room = max(largest, 1 << 16)
        if question.method == "GET":
            return self.client.get(url, headers, room)
        if question.media_type:
            headers["Content-Type"] = question.media_type
        return self.client.send(question.method, url, headers, room, question.body)

    def _authorize(self, answer: Answer, actions: str) -> None:
        """Get what the registry asks for, with the login if there is one."""
        challenge = _BEARER.search(answer.headers.get("www-authenticate", ""))
        login = login_for(self.repository, self.environment)
        basic = {"Authorization": f"Basic {login}"} if login else {}
        if challenge is None:
            self._authorization = basic
            return
        given = self.client.get(self._token_url(challenge[1], actions), basic, 1 << 16)
        token = _token_in(given)
        if token is None:
            # What was given with success may be a token after all, and nobody else's to read.
            said = "" if given.status == 200 else given.body[:1000].decode("utf-8", "replace")
            raise RemoteError(
                f"nothing can be known: no token for {self.repository} ({given.status})",
                details=said or "the answer holds none that can be used",
                hint="is the login right (`skopeo login`, or REGISTRY_AUTH_FILE)?",
            )
        self._authorization = {"Authorization": f"Bearer {token}"}

    def _token_url(self, challenge: str, actions: str) -> str:
        """Return where a token is asked for; source: Docker's token specification."""
        # The first of each: another challenge may follow in the same line.
        fields = {name.lower(): value for name, value in reversed(_CHALLENGE.findall(challenge))}
        if not fields.get("realm"):
            raise RemoteError(
                f"nothing can be known: the registry of {self.repository} wants a token, and does "
                "not say who gives it",
                details=challenge[:500],
            )
        asked = {
            "service": fields.get("service", ""),
            "scope": f"repository:{self.repository.partition('/')[2]}:{actions}",
        }
        separator = "&" if "?" in fields["realm"] else "?"
        return f"{fields['realm']}{separator}{urllib.parse.urlencode(asked)}"


def _asked_to_wait(answer: Answer) -> int:
    """Return the seconds that an answer asks for. Source: RFC 9110, 10.2.3; dates are ignored."""
    text = answer.headers.get("retry-after", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0


def _token_in(answer: Answer) -> str | None:
    if answer.status != 200:
        return None
    try:
        document = parse_json(answer.body, "the token")
    except Skipped:
        return None
    if not isinstance(document, dict):
        return None
    found = document.get("token") or document.get("access_token")
    return found if isinstance(found, str) and _TOKEN.fullmatch(found) else None


def api_host(host: str) -> str:
    """Return who answers for the registry of a reference: Docker Hub's goes by another name."""
    return "registry-1.docker.io" if host in {"docker.io", "index.docker.io"} else host
