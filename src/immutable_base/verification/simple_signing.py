"""What a signature says about an image; source: sigstore/cosign, specs/SIGNATURE_SPEC.md."""

from __future__ import annotations

import re
from collections.abc import Iterable

from immutable_base.verification.policy import Demand
from immutable_base.verification.skipped import Skipped
from immutable_base.verification.strict import members, parse_json, require_object, text_of

MEDIA_TYPE = "application/vnd.dev.cosign.simplesigning.v1+json"
TYPE = "cosign container image signature"
_TAG = re.compile(r":([A-Za-z0-9_][A-Za-z0-9._-]{0,127})\Z")


def require_statement(raw: bytes, digest: str, demand: Demand) -> str:
    """Return the repository that the signed text names, if it is about this image there.

    Raises Skipped.
    """
    what = "the signed text"
    outer = members(parse_json(raw, what), what, ("critical",), ("optional",))
    critical = members(outer["critical"], what, ("identity", "image", "type"))
    identity = members(critical["identity"], what, ("docker-reference",))
    image = members(critical["image"], what, ("docker-manifest-digest",))
    if outer.get("optional") is not None:
        require_object(outer["optional"], what)
    if critical["type"] != TYPE:
        raise Skipped(f"the signed text is no {TYPE}")
    if image["docker-manifest-digest"] != digest:
        raise Skipped(
            "the signature is of another image: "
            + text_of(image["docker-manifest-digest"], what)[:80]
        )
    reference = text_of(identity["docker-reference"], what)
    repository, tag = split_tag(reference)
    if normalized(repository) not in map(normalized, demand.repositories):
        raise Skipped(f"the signature was made for {reference}, not for this repository")
    if tag and demand.tag and tag != demand.tag:
        raise Skipped(f"the signature was made for the tag {tag}, not for {demand.tag}")
    return repository


def expected_text(digest: str, repositories: Iterable[str]) -> list[bytes]:
    """Return what cosign signs for an image; it only helps to find it among many."""
    return [
        f'{{"critical":{{"identity":{{"docker-reference":"{repository}"}},"image":'
        f'{{"docker-manifest-digest":"{digest}"}},"type":"{TYPE}"}},"optional":null}}'.encode()
        for repository in repositories
    ]


def split_tag(reference: str) -> tuple[str, str]:
    """Take a tag off the end of a reference; a port is none."""
    found = _TAG.search(reference)
    return (reference[: found.start()], found[1]) if found else (reference, "")


def normalized(repository: str) -> str:
    """Return the one spelling of Docker Hub's names; source: distribution/reference."""
    host, slash, path = repository.partition("/")
    if host in {"docker.io", "index.docker.io"} and slash:
        return f"docker.io/{path if '/' in path else 'library/' + path}"
    return repository
