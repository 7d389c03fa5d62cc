"""The instance's image that was published last, verified as ours."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any

from immutable_base.errors import NoSuchImageError, VerificationError
from immutable_base.instance.changes import UNREADABLE, properties_of
from immutable_base.instance.context import InstanceContext
from immutable_base.model.instance import PublishedEvidence
from immutable_base.plan.labels import KERNEL, OCI
from immutable_base.publish.tag_names import tag_names
from immutable_base.sbom.subject import BASE_SIGNED_AT
from immutable_base.tools import skopeo
from immutable_base.verify import VerifiedImage
from immutable_base.workspace import write_atomically


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedImage:
    """What is published, or why nothing that is there counts."""

    evidence: PublishedEvidence | None
    problem: str = ""
    """Empty without evidence: nothing was ever published."""
    sbom: dict[str, Any] = field(default_factory=dict)
    """The newest that is attested to it."""


def find_published(at: InstanceContext, repository: str) -> PublishedImage:
    """Return the image that the tags of the last publication name, verified as ours."""
    moving = [tag for tag in at.settings.publish.tags if "{" not in tag]
    if not moving:
        return PublishedImage(
            evidence=None,
            problem="publish.tags has no tag that moves, such as `latest`: what was published last "
            "is not known",
        )
    try:
        verified = at.verifier().verify_reference(repository, tag=moving[0])
    except NoSuchImageError:
        return PublishedImage(evidence=None)
    except VerificationError as error:
        return PublishedImage(evidence=None, problem=str(error))
    return PublishedImage(evidence=_evidence(at, verified), sbom=verified.proof.sboms[0].document)


def _evidence(at: InstanceContext, verified: VerifiedImage) -> PublishedEvidence:
    labels = skopeo.published_labels(at.run, verified.pinned, at.tls.environment) or {}
    names = tag_names(
        at.settings.publish.tags,
        epoch=skopeo.seconds(verified.proof.created),
        kernel=labels.get(KERNEL, "") or "unknown",
        digest=verified.digest,
    )
    sbom = verified.proof.sboms[0].document
    document = json.dumps(sbom)
    write_atomically(at.documents.published_sbom, document)
    return PublishedEvidence(
        digest=verified.digest,
        base_digest=labels.get(f"{OCI}.base.digest", ""),
        revision=labels.get(f"{OCI}.revision", ""),
        signed_at=verified.proof.signature.signed_at,
        tags={
            name: skopeo.manifest_digest(
                at.run, f"{verified.repository}:{name}", at.tls.environment
            )
            for name in names
        },
        sbom_sha256=hashlib.sha256(document.encode()).hexdigest(),
        base_name=labels.get(f"{OCI}.base.name", ""),
        base_signed_at=_base_signed_at(sbom),
    )


def _base_signed_at(sbom: dict[str, Any]) -> int | None:
    """Return when the base was signed that an image was built on, None if its SBOM says nothing."""
    try:
        return max(int(properties_of(sbom)[BASE_SIGNED_AT]), 0)
    except UNREADABLE:
        return None
