"""What refers to an image: the registry's own list, or the one that clients keep under a tag.

Source: OCI Distribution Specification 1.1, "Listing Referrers", "Referrers Tag Schema".
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from immutable_base.errors import RemoteError
from immutable_base.verification.client import Answer
from immutable_base.verification.deadline import Deadline
from immutable_base.verification.image import digest_of
from immutable_base.verification.reader import Reader
from immutable_base.verification.registry import LARGEST_MANIFEST, RegistryReader

NO_REFERRERS = frozenset({404, 405})
"""Statuses of a registry that has no referrers API. Source: the same, "Listing Referrers"."""
MOST_PAGES = 50
"""Of a list of referrers."""
_NEXT = re.compile(r'<([^<>]+)>\s*;[^,<]*\brel="?next"?')
"""Looks no further than the next address: else a long header takes a time that grows with its
square. Source: RFC 8288."""


class ReferrersReader(Reader, Protocol):
    """A repository in a registry, with what refers to its images."""

    def referrers(self, digest: str, kind: str) -> tuple[bytes, ...] | None:
        """Return the pages of what refers to a digest, None if the registry has no list of its own.

        `kind` is the artifact type that is looked for; a registry may list others, too.
        """

    def put_manifest(self, reference: str, raw: bytes, kind: str) -> None:
        """Write a manifest of the media type `kind`; a verification writes none."""


ReferrersOpener = Callable[[str, Deadline], ReferrersReader]
"""Returns a repository of a registry, read until a moment."""


def referrers_tag(digest: str) -> str:
    """Return the tag under which a list of referrers is, where the registry keeps none itself."""
    return digest.replace(":", "-")


@dataclass(slots=True, kw_only=True)
class ReferrersRegistry(RegistryReader):
    """A repository as anybody with this login sees it, with what refers to its images."""

    def referrers(self, digest: str, kind: str) -> tuple[bytes, ...] | None:
        """Return the pages of what refers to a digest, None if the registry has no list of its own.

        Raises RemoteError if the registry does not tell, comes to no end, or lists more than a
        manifest may have bytes.
        """
        listing = f"referrers/{digest}"
        path, pages = f"{listing}?{urllib.parse.urlencode({'artifactType': kind})}", list[bytes]()
        while len(pages) < MOST_PAGES:
            answer = self.ask(path, LARGEST_MANIFEST - sum(map(len, pages)))
            if answer.status in NO_REFERRERS and not pages:
                return None
            if answer.status != 200:
                raise self.refusal(answer)
            pages.append(answer.body)
            after = self.next_page(answer, listing)
            if after is None:
                return tuple(pages)
            path = after
        raise RemoteError(f"the list of referrers of {self.repository}@{digest} comes to no end")

    def next_page(self, answer: Answer, listing: str) -> str | None:
        """Return the path of the next page of a listing, None if the answer names none.

        Raises RemoteError if it names one that is none.
        """
        link = answer.headers.get("link")
        if link is None:
            return None
        target = _NEXT.search(link)
        path, query = _path_of(target[1] if target else "")
        expected = f"/v2/{self.repository.partition('/')[2]}/{listing}"
        if not query or not (path or expected).endswith(expected):
            raise RemoteError(
                f"the registry names a next page of {listing} of {self.repository} that is none",
                details=link[:500],
            )
        return f"{listing}?{query}"

    def put_manifest(self, reference: str, raw: bytes, kind: str) -> None:
        """Write a manifest, and read it back.

        Raises RemoteError if the registry does not take it, or serves another one afterwards.
        """
        path = f"manifests/{reference}"
        answer = self.ask(path, LARGEST_MANIFEST, method="PUT", media_type=kind, body=raw)
        if answer.status != 201:
            raise self.refusal(answer)
        found = self.manifest(reference)
        if found != raw:
            raise RemoteError(
                f"{self.repository}:{reference} was written, but is "
                f"{'not there' if found is None else digest_of(found)}",
                hint="does another pipeline write to this repository?",
            )


def _path_of(address: str) -> tuple[str, str]:
    """Return path and query of an address that a registry names; empty for one that is none."""
    try:
        parts = urllib.parse.urlsplit(address)
    except ValueError:
        return "", ""
    return parts.path, parts.query
