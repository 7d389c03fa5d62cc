"""One repository as it is pruned: every tag, every manifest, and deletion.

No answer that may be cut off, empty or stale counts as "nothing is there". Source of the requests:
OCI Distribution Specification 1.1, "Content Discovery" and "Content Management".
"""

from __future__ import annotations

import json
import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from immutable_base.errors import BrokenProofError, RemoteError
from immutable_base.model.reference import DIGEST, TAG
from immutable_base.verification.client import Answer
from immutable_base.verification.complete.referrers import NO_REFERRERS, ReferrersRegistry
from immutable_base.verification.image import MANIFESTS, digest_of
from immutable_base.verification.registry import LARGEST_MANIFEST
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import Object, list_of, parse_json, require_object, text_of

PAGE = 100
"""Tags to ask for at once."""
MOST_PAGES = 2000
LARGEST_PAGE = 4 << 20
NO_TAG_DELETION = frozenset({400, 404, 405})
"""Statuses of a registry that does not delete a tag alone. Source: the same, "Deleting tags"; older
registries take the tag for a digest that they do not have, and answer 404."""
DONE = frozenset({200, 202, 204})
"""The specification's is 202."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PrunableRepository:
    """A repository of a registry, read without any doubt, and written to by deletion only."""

    reader: ReferrersRegistry

    @property
    def name(self) -> str:
        """`host[:port]/path`."""
        return self.reader.repository

    def tags(self) -> tuple[str, ...] | None:
        """Return every tag, sorted, None if the registry says that it has no such repository.

        The end of the list is believed only once the registry has nothing after its last tag.
        Raises RemoteError if the list is empty, may be cut off, or is no list.
        """
        found: dict[str, None] = {}
        path, asked = f"tags/list?n={PAGE}", set[str]()
        while path not in asked and len(asked) < MOST_PAGES:
            asked.add(path)
            answer = self.reader.ask(path, LARGEST_PAGE)
            if answer.status == 404 and not found and _says(answer, "NAME_UNKNOWN"):
                return None
            names = self._names(answer)
            fresh = [name for name in names if name not in found]
            found.update(dict.fromkeys(fresh))
            after = self.reader.next_page(answer, "tags/list")
            if after is None and not fresh:
                return self._listed(found)
            path = after or f"tags/list?n={PAGE}&last={urllib.parse.quote(names[-1])}"
        raise RemoteError(f"the list of tags of {self.name} comes to no end")

    def _listed(self, found: dict[str, None]) -> tuple[str, ...]:
        if not found:
            raise RemoteError(
                f"the registry lists no tag of {self.name}, though it knows the repository",
                hint="an empty answer decides nothing; if it is empty indeed, name the others with "
                "--variant",
            )
        return tuple(sorted(found))

    def _names(self, answer: Answer) -> list[str]:
        if answer.status != 200:
            raise self.reader.refusal(answer)
        what = f"the list of tags of {self.name}"
        try:
            page = require_object(parse_json(answer.body, what), what)
            names = list_of([] if page.get("tags", "") is None else page.get("tags"), what)
        except Skipped as one:
            raise RemoteError(f"{what} cannot be read", details=one.reason) from one
        if page.get("name") not in {None, self.name.partition("/")[2]}:
            raise RemoteError(f"{what} is that of {page.get('name')}")
        if not all(isinstance(name, str) and TAG.fullmatch(name) for name in names):
            raise RemoteError(f"{what} has names that are no tags")
        return names

    def manifest(self, reference: str) -> bytes | None:
        """Return the manifest that a tag or digest names, None if the registry says there is none.

        Raises RemoteError if it does not say so in its own words: a proxy answers 404, too.
        """
        answer = self.reader.ask(f"manifests/{reference}", LARGEST_MANIFEST)
        return self._manifest_in(answer, reference)

    def _manifest_in(self, answer: Answer, reference: str) -> bytes | None:
        if answer.status == 404 and _says(answer, "MANIFEST_UNKNOWN"):
            return None
        if answer.status != 200:
            raise self.reader.refusal(answer)
        if DIGEST.fullmatch(reference) and digest_of(answer.body) != reference:
            raise BrokenProofError(
                f"the registry serves another manifest than {self.name}@{reference}"
            )
        return answer.body

    def has(self, digest: str) -> bool:
        """Tell whether a manifest is here; a repository that does not exist has none."""
        answer = self.reader.ask(f"manifests/{digest}", LARGEST_MANIFEST)
        if answer.status == 404 and _says(answer, "NAME_UNKNOWN"):
            return False
        return self._manifest_in(answer, digest) is not None

    def referrers(self, digest: str) -> tuple[str, ...] | None:
        """Return the digests whose subject this is, None if the registry has no referrers API."""
        found: list[str] = []
        path = f"referrers/{digest}"
        for _ in range(MOST_PAGES):
            answer = self.reader.ask(path, LARGEST_PAGE)
            if answer.status in NO_REFERRERS and not found:
                return None
            if answer.status != 200:
                raise self.reader.refusal(answer)
            found += self._referrers_in(answer)
            after = self.reader.next_page(answer, f"referrers/{digest}")
            if after is None:
                return tuple(found)
            path = after
        raise RemoteError(f"the list of referrers of {self.name}@{digest} comes to no end")

    def _referrers_in(self, answer: Answer) -> Iterator[str]:
        what = f"a list of referrers of {self.name}"
        try:
            index = require_object(parse_json(answer.body, what), what)
            for entry in list_of(index.get("manifests"), what):
                yield digest_in(entry)
        except Skipped as one:
            raise RemoteError(f"{what} cannot be read", details=one.reason) from one

    def delete(self, digest: str) -> None:
        """Delete a manifest, and with it every tag that names it; one that is gone is fine.

        Raises RemoteError if the registry does not do it.
        """
        answer = self.reader.ask(f"manifests/{digest}", LARGEST_PAGE, method="DELETE")
        if answer.status not in DONE | {404}:
            raise self._not_deleted(f"{self.name}@{digest}", answer)
        if self.manifest(digest) is not None:
            raise self._not_deleted(f"{self.name}@{digest}", answer)

    def delete_tag(self, tag: str, digest: str, others: Iterable[str]) -> bool:
        """Take one tag away from a manifest that stays; return False if the registry cannot.

        A registry that deletes the manifest with it gets it back at once, under its `others` and
        the tag itself. Raises RemoteError in that case too.
        """
        raw = self.manifest(digest)
        if raw is None or self.manifest(tag) != raw:
            raise RemoteError(f"{self.name}:{tag} does not name {digest} any more")
        answer = self.reader.ask(f"manifests/{tag}", LARGEST_PAGE, method="DELETE")
        if answer.status not in DONE | NO_TAG_DELETION:
            raise self._not_deleted(f"{self.name}:{tag}", answer)
        if self.manifest(digest) is None:
            back = [name for name in (*others, tag) if self._put(name, raw)]
            raise RemoteError(
                f"the registry has deleted {self.name}@{digest} together with its tag {tag}",
                details=f"put back: {', '.join(back) or 'nothing'}",
                hint="this registry takes no single tag away: what could not be put back is to be "
                "published again",
            )
        return self.manifest(tag) is None

    def _put(self, tag: str, raw: bytes) -> bool:
        kind = str(json.loads(raw).get("mediaType") or next(iter(MANIFESTS)))
        answer = self.reader.ask(
            f"manifests/{tag}", LARGEST_PAGE, method="PUT", media_type=kind, body=raw
        )
        return answer.status == 201 and self.manifest(tag) == raw

    def _not_deleted(self, what: str, answer: Answer) -> RemoteError:
        return RemoteError(
            f"the registry did not delete {what} ({answer.status})",
            details=answer.body[:1000].decode("utf-8", "replace"),
            hint="may this login delete, and does the registry allow deletion?",
        )


def digest_in(value: object) -> str:
    """Return the digest of a descriptor; raises Skipped if it has none."""
    descriptor: Object = require_object(value, "a descriptor")
    digest = text_of(descriptor.get("digest"), "a descriptor's digest")
    if not DIGEST.fullmatch(digest):
        raise Skipped("a descriptor's digest is not a SHA-256")
    return digest


def _says(answer: Answer, code: str) -> bool:
    """Tell whether an error is the registry's own, by its code."""
    try:
        document = require_object(parse_json(answer.body, "an error"), "an error")
        errors = list_of(document.get("errors"), "an error")
    except Skipped:
        return False
    return any(isinstance(error, dict) and error.get("code") == code for error in errors)
