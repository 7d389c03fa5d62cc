"""What a complete publication has beside signature and SBOM: a provenance, and the full SBOM."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from immutable_base.model.sbom import full_sbom_path
from immutable_base.provenance.record import BuildRecord, base_material
from immutable_base.verification.complete.full_sbom import MEDIA_TYPE
from immutable_base.verification.complete.provenance import FULL_SBOM, VARIANT

BASE = f"registry.example/upstream/bootc@sha256:{'b' * 64}"
OCI = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def digest_of(raw: bytes) -> str:
    return f"sha256:{hashlib.sha256(raw).hexdigest()}"


def full_of(sbom: dict) -> bytes:
    """Return a full SBOM that says more than this one, of the same image."""
    kept = {name: value for name, value in sbom.items() if name != "externalReferences"}
    return compact({**kept, "properties": [{"name": "in full", "value": "yes"}]})


def naming(sbom: dict, full: bytes | None = None) -> dict:
    """Return an SBOM that names a full one, as ours do."""
    sha256 = hashlib.sha256(full_of(sbom) if full is None else full).hexdigest()
    hashes = [{"alg": "SHA-256", "content": sha256}]
    return {
        **sbom,
        "externalReferences": [{"type": "bom", "url": "urn:cdx:x/1", "hashes": hashes}],
    }


def write_sboms(path: Path, sbom: dict) -> Path:
    """Write an SBOM that names the full one beside it; returns where it is."""
    full_sbom_path(path).write_bytes(full_of(sbom))
    path.write_text(json.dumps(naming(sbom)))
    return path


def record_of(repository: str, sbom: Path, **changes) -> BuildRecord:
    """Return what is known of the build of an image with these SBOMs."""
    values = {
        "build_type": VARIANT,
        "parameters": {
            "variant": "x", "stream": "x", "repository": repository, "layers": [],
            "base": "registry.example/upstream/bootc:stream10",
        },
        "internal": {},
        "materials": (base_material(BASE),),
        "byproducts": {FULL_SBOM: hashlib.sha256(full_sbom_path(sbom).read_bytes()).hexdigest()},
        **changes,
    }  # fmt: skip
    return BuildRecord(**values)


def complete(repository: str, sbom: Path) -> dict:
    """Return the fields of a `PublishRequest` that say how its image was built."""
    provenance = sbom.with_name(f"{sbom.name}.provenance.json")
    return {"record": record_of(repository, sbom), "provenance": provenance}


def predicate(full: bytes, builder: str, **changes) -> dict:
    """Return a good provenance of a variant, as our own builds write it."""
    run = {
        "builder": {"id": builder, "version": {"immutable-base": "1.1"}},
        "metadata": {
            "invocationId": "https://gitlab.com/immutable-base/immutable-base/-/jobs/1",
            "startedOn": "2026-11-18T03:00:00Z",
            "finishedOn": "2026-11-18T04:00:00Z",
        },
        "byproducts": [
            {"name": FULL_SBOM, "digest": {"sha256": hashlib.sha256(full).hexdigest()}},
            {"name": "plan.json", "digest": {"sha256": "c" * 64}},
        ],
    }  # fmt: skip
    build = {
        "buildType": VARIANT,
        "externalParameters": {
            "base": "registry.example/upstream/bootc:stream10", "layers": ["base"],
            "repository": "registry.example/os/base", "stream": "x", "variant": "base",
        },
        "internalParameters": {"kernel": "6.12.0"},
        "resolvedDependencies": [
            base_material(BASE).descriptor(),
            {
                "name": "repository:baseos", "uri": "https://mirror.example/repodata/repomd.xml",
                "digest": {"sha256": "d" * 64},
            },
            {"name": "tool:buildah@1.39", "uri": "pkg:generic/buildah@1.39"},
        ],
    }  # fmt: skip
    return {
        "buildDefinition": {**build, **changes.pop("build", {})},
        "runDetails": {**run, **changes.pop("run", {})},
        **changes,
    }


def artifact(image: str, full: bytes, **changes) -> tuple[bytes, dict]:
    """Return the manifest of a full SBOM beside an image, and its entry in a list of referrers."""
    layer = {"mediaType": MEDIA_TYPE, "digest": digest_of(full), "size": len(full)}
    manifest = compact({
        "schemaVersion": 2, "mediaType": OCI, "artifactType": MEDIA_TYPE,
        "config": {"mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(b"{}"), "size": 2},
        "layers": [layer], "subject": {"mediaType": OCI, "digest": image, "size": 1}, **changes,
    })  # fmt: skip
    entry = {
        "mediaType": OCI, "digest": digest_of(manifest), "size": len(manifest), "artifactType": MEDIA_TYPE,
    }  # fmt: skip
    return manifest, entry


def referrers(*entries) -> bytes:
    """Return a list of referrers."""
    return compact({"schemaVersion": 2, "mediaType": INDEX, "manifests": list(entries)})
