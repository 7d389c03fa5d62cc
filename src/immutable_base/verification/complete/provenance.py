"""A SLSA provenance, read strictly: what our own builds write, in the one form that they write.

Its form is that of docs/reference/provenance.md; a new form gets a new build type. Source: SLSA
specification 1.0, "Provenance"; in-toto/attestation, spec/v1/resource_descriptor.md.
"""

from __future__ import annotations

import re
import urllib.parse
from collections.abc import Mapping
from dataclasses import dataclass

from immutable_base.verification.attestation import Statement
from immutable_base.verification.certificate import Leaf
from immutable_base.verification.skipped import Kind, Skipped
from immutable_base.verification.strict import (
    HEX,
    Object,
    list_of,
    members,
    require_object,
    text_of,
)

TYPES = "https://gitlab.com/immutable-base/immutable-base/-/blob/main/docs/reference/provenance.md"
VARIANT, INSTANCE, CI_IMAGE = (f"{TYPES}#{name}" for name in ("variant-v1", "instance-v1", "ci-v1"))
PARAMETERS: Mapping[str, frozenset[str]] = {
    VARIANT: frozenset({"base", "layers", "repository", "stream", "variant"}),
    INSTANCE: frozenset({"base", "instance", "repository", "source"}),
    CI_IMAGE: frozenset({"base", "repository", "source"}),
}
"""What may be asked of a build from outside, by the build's type; a verifier refuses any other."""
BASE = "base"
"""Name of the dependency that is the base image."""
FULL_SBOM = "full-sbom"
"""Name of the byproduct that is the full SBOM."""
DIGITS = {"sha256": {64}, "sha384": {96}, "sha512": {128}, "gitCommit": {40, 64}}
"""Hexadecimal digits of each digest that is understood. Source: in-toto/attestation,
spec/v1/digest_set.md; Git has two kinds of repositories."""
MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}Z")
"""Source: RFC 3339, section 5.6; in UTC, so that texts compare as times do."""
_HEXADECIMAL = re.compile(r"[0-9a-f]+")
WHAT = "the provenance"


@dataclass(frozen=True, slots=True, kw_only=True)
class Dependency:
    """Something that went into an image."""

    uri: str
    digest: Mapping[str, str]
    """By algorithm; empty for what has none: a program of which only the version is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """A provenance whose attestation holds."""

    build_type: str
    parameters: Object
    """What was asked of the build from outside."""
    dependencies: Mapping[str, Dependency]
    """By their names."""
    byproducts: Mapping[str, str]
    """SHA-256 of the documents of the build, by their names."""
    builder: str
    invocation: str
    """URL of the job that states all this; empty if it does not say."""
    finished: str
    """When it was stated, by the job's clock (RFC 3339, UTC); empty if it does not say."""
    signed_at: int
    log_index: int
    document: Object

    @property
    def base(self) -> str:
        """Digest of the base image."""
        return f"sha256:{self.dependencies[BASE].digest['sha256']}"


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOfImage:
    """What else is known of an image, and what its provenance must not contradict."""

    bases: frozenset[str]
    """Digests of the base image that its configuration and its SBOM name."""
    full_sbom: str
    """SHA-256 of the full SBOM that its attested SBOM names."""


def read_provenance(statement: Statement, known: KnownOfImage) -> Provenance:
    """Return the provenance that a statement holds; raises Skipped.

    One of a build type that is not ours is somebody else's business, and does not count.
    """
    predicate = members(statement.predicate, WHAT, ("buildDefinition", "runDetails"))
    build = members(
        predicate["buildDefinition"], f"{WHAT}'s build",
        ("buildType", "externalParameters", "resolvedDependencies"), ("internalParameters",),
    )  # fmt: skip
    build_type = text_of(build["buildType"], f"{WHAT}'s build type")
    if build_type not in PARAMETERS:
        raise Skipped(f"a provenance of the build type {build_type[:200]}", Kind.UNRELATED)
    run = members(
        predicate["runDetails"], f"{WHAT}'s run", ("builder",), ("metadata", "byproducts")
    )
    invocation, finished = _metadata(run.get("metadata", {}), statement.leaf)
    found = Provenance(
        build_type=build_type,
        parameters=_parameters(build["externalParameters"], PARAMETERS[build_type]),
        dependencies=_dependencies(build["resolvedDependencies"]),
        byproducts=_byproducts(run.get("byproducts", [])),
        builder=_builder(run["builder"], statement.leaf),
        invocation=invocation,
        finished=finished,
        signed_at=statement.signed_at,
        log_index=statement.log_index,
        document=predicate,
    )
    require_object(build.get("internalParameters", {}), f"{WHAT}'s internal parameters")
    _require_known(found, known)
    return found


def _require_known(found: Provenance, known: KnownOfImage) -> None:
    contradicted = sorted(known.bases - {found.base})
    if contradicted:
        raise Skipped(
            f"{WHAT} names the base {found.base}, but the image or its SBOM "
            f"{' and '.join(contradicted)}"
        )
    if found.byproducts.get(FULL_SBOM) != known.full_sbom:
        raise Skipped(f"{WHAT} names another full SBOM than the attested SBOM")


def _parameters(value: object, allowed: frozenset[str]) -> Object:
    what = f"{WHAT}'s parameters"
    found = members(value, what, allowed)
    for item in found.values():
        for text in item if isinstance(item, list) else [item]:
            text_of(text, what)
    return found


def _dependencies(value: object) -> dict[str, Dependency]:
    what, found = f"{WHAT}'s dependencies", dict[str, Dependency]()
    for item in list_of(value, what):
        one = members(item, what, ("name", "uri"), ("digest",))
        name, uri = text_of(one["name"], what), text_of(one["uri"], what)
        if not (name and uri):
            raise Skipped(f"{what}: one has no name, or no URI")
        if name in found:
            raise Skipped(f"{what}: {name[:200]} stands there twice")
        digest = _digest(one["digest"], f"{what}: {name[:200]}") if "digest" in one else {}
        found[name] = Dependency(uri=uri, digest=digest)
    if BASE not in found or "sha256" not in found[BASE].digest:
        raise Skipped(f"{what}: the base image is not among them, with its SHA-256")
    return found


def _digest(value: object, what: str) -> dict[str, str]:
    digests = require_object(value, what)
    for algorithm, text in digests.items():
        known = _HEXADECIMAL.fullmatch(text_of(text, what)) is not None
        if not known or len(text) not in DIGITS.get(algorithm, ()):
            raise Skipped(f"{what} has no digest that is understood")
    if not digests:
        raise Skipped(f"{what} has an empty digest")
    return digests


def _byproducts(value: object) -> dict[str, str]:
    what, found = f"{WHAT}'s byproducts", dict[str, str]()
    for item in list_of(value, what):
        one = members(item, what, ("name", "digest"))
        name = text_of(one["name"], what)
        digest = text_of(members(one["digest"], what, ("sha256",))["sha256"], what)
        if name in found or not HEX.fullmatch(digest):
            raise Skipped(f"{what}: {name[:200]} stands there twice, or without a SHA-256")
        found[name] = digest
    return found


def _builder(value: object, leaf: Leaf) -> str:
    """Return who says that it has built; that can only be who has signed."""
    what = f"{WHAT}'s builder"
    builder = members(value, what, ("id",), ("version",))
    versions = require_object(builder.get("version", {}), what)
    for version in versions.values():
        text_of(version, what)
    if builder["id"] != leaf.identity:
        raise Skipped(
            f"{what} is {text_of(builder['id'], what)[:200]}, but {leaf.identity} has signed it"
        )
    return leaf.identity


def _metadata(value: object, leaf: Leaf) -> tuple[str, str]:
    what = f"{WHAT}'s metadata"
    found = members(value, what, (), ("invocationId", "startedOn", "finishedOn"))
    texts = {name: text_of(text, what) for name, text in found.items()}
    times = [texts[name] for name in ("startedOn", "finishedOn") if name in texts]
    if not all(map(MOMENT.fullmatch, times)) or times != sorted(times):
        raise Skipped(f"{what} has times that are none, or an end before its beginning")
    invocation, job = texts.get("invocationId", ""), leaf.claims.get("job_url", "")
    # Not the host: Fulcio has its name of an instance from its own configuration.
    if invocation and job and _path_of(invocation) != _path_of(job):
        raise Skipped(f"{what} names the job {invocation[:200]}, but {job} has signed it")
    return invocation, texts.get("finishedOn", "")


def _path_of(address: str) -> str:
    try:
        return urllib.parse.urlsplit(address).path
    except ValueError:
        return address
