"""What a build was asked for and what went into it, and the SLSA predicate that says so; pure.

The form is that of docs/reference/provenance.md, and what `verification.provenance` reads back.
Source: SLSA specification 1.0, "Provenance".
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from packageurl import PackageURL

from immutable_base.errors import VerificationError
from immutable_base.model.plan import Package
from immutable_base.model.reference import Reference
from immutable_base.verification.complete.provenance import BASE, Provenance

REPOSITORY, TOOL = "repository:", "tool:"
"""How the names of materials begin that may differ while the image is the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Material:
    """Something that went into an image; SLSA's `resolvedDependencies`."""

    name: str
    uri: str
    digest: Mapping[str, str] = field(default_factory=dict)
    """By algorithm, as in-toto names it; empty where only a version is known."""

    def descriptor(self) -> dict[str, Any]:
        """Return it as in-toto writes it."""
        digest = {"digest": dict(self.digest)} if self.digest else {}
        return {"name": self.name, "uri": self.uri, **digest}


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildRecord:
    """What is known of the build of one image, by the documents that it left."""

    build_type: str
    parameters: Mapping[str, Any]
    """What was asked of it from outside: exactly what its build type allows."""
    internal: Mapping[str, Any]
    """What it has decided by itself."""
    materials: tuple[Material, ...]
    byproducts: Mapping[str, str]
    """SHA-256 of its documents, by their names."""

    def is_of(self, found: Provenance) -> bool:
        """Tell whether a provenance is of the same build: the same question, the same materials.

        Metadata of repositories and versions of tools may be newer: who builds the same image of
        the same packages a second time has not built another one.
        """
        theirs = {name: it.digest for name, it in found.dependencies.items() if _decides(name)}
        ours = {it.name: dict(it.digest) for it in self.materials if _decides(it.name)}
        asked = (found.build_type, found.parameters) == (self.build_type, dict(self.parameters))
        return asked and theirs == ours


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildJob:
    """Who states a provenance, and when."""

    builder: str
    """The identity that signs."""
    version: str = ""
    """Of this package; empty where only its files are there."""
    invocation: str = ""
    """URL of the job; empty where its token does not name it."""
    started: str = ""
    """When its pipeline was made (RFC 3339, UTC); empty where nobody says."""
    finished: str = ""
    """When the provenance is stated (RFC 3339, UTC)."""


def _decides(name: str) -> bool:
    return not name.startswith((REPOSITORY, TOOL))


def predicate_of(record: BuildRecord, job: BuildJob) -> dict[str, Any]:
    """Return the predicate of a provenance; the same build and job give the same one.

    Raises VerificationError if two materials have one name.
    """
    materials = sorted(record.materials, key=lambda it: it.name)
    names = [it.name for it in materials]
    if len(set(names)) != len(names):
        twice = sorted({name for name in names if names.count(name) > 1})
        raise VerificationError(f"two materials of the build have one name: {', '.join(twice)}")
    times = {"invocationId": job.invocation, "startedOn": job.started, "finishedOn": job.finished}
    return {
        "buildDefinition": {
            "buildType": record.build_type,
            "externalParameters": dict(record.parameters),
            "internalParameters": dict(record.internal),
            "resolvedDependencies": [it.descriptor() for it in materials],
        },
        "runDetails": {
            "builder": {
                "id": job.builder,
                **({"version": {"immutable-base": job.version}} if job.version else {}),
            },
            "metadata": {name: text for name, text in times.items() if text},
            "byproducts": [
                {"name": name, "digest": {"sha256": record.byproducts[name]}}
                for name in sorted(record.byproducts)
            ],
        },
    }


def base_material(pinned: str, reference: str = "") -> Material:
    """Return the base image `repository@sha256:...` as a material; `reference` has its tag.

    Source: package-url, PURL-TYPES, `oci`.
    """
    repository, _, digest = pinned.partition("@")
    tag = Reference.parse(reference).tag if reference else None
    purl = PackageURL(
        "oci",
        name=repository.rpartition("/")[2],
        version=digest,
        qualifiers={"repository_url": repository, **({"tag": tag} if tag else {})},
    )
    return Material(name=BASE, uri=str(purl), digest={"sha256": digest.removeprefix("sha256:")})


def package_purl(package: Package) -> str:
    """Return the package URL of an rpm package. Source: package-url, PURL-TYPES, `rpm`."""
    qualifiers = {"arch": package.arch, **({"epoch": str(package.epoch)} if package.epoch else {})}
    version = f"{package.version}-{package.release}"
    return str(PackageURL("rpm", name=package.name, version=version, qualifiers=qualifiers))


def tool_material(name: str, version: str) -> Material:
    """Return a program of which only the version is known. Source: PURL-TYPES, `generic`."""
    uri = str(PackageURL("generic", name=name, version=version))
    return Material(name=f"{TOOL}{name}@{version}", uri=uri)


def source_material(source: str, commit: str) -> Material:
    """Return the commit that was built as a material; `source` is its project's URL, if known."""
    return Material(
        name="source", uri=f"git+{source}@{commit}" if source else f"git:{commit}",
        digest={"gitCommit": commit},
    )  # fmt: skip
