"""`ci-image publish`: what was built, checked and listed, signed as variants are."""

from __future__ import annotations

from immutable_base.ci_image.build import CiImage
from immutable_base.ci_image.documents import NAME
from immutable_base.ci_image.provenance import ci_image_record
from immutable_base.errors import CheckError, VerificationError
from immutable_base.image.local import fetch_layout
from immutable_base.image.oci import require_whole
from immutable_base.model.check import CheckReport
from immutable_base.model.ci_image import CiImageBuild
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord
from immutable_base.publish.publish import publish_variant
from immutable_base.publish.request import PublishRequest
from immutable_base.publish.tag_names import tag_names
from immutable_base.run.publisher import publisher_of
from immutable_base.sbom.subject import require_subject
from immutable_base.verification.complete.provenance import FULL_SBOM

TAGS = ("latest", "{date}-{digest}")
"""What moves, and what is the image's own. A kernel it has none."""


def publish_ci_image(at: CiImage) -> Publication:
    """Push by digest, sign, attest, verify, and only then move the tags; write it down.

    Raises CheckError if a check objects to the image, VerificationError if a document, the SBOM or
    the layout is of another image or was changed, and as `publish_variant`.
    """
    documents = at.documents
    built = documents.read(CiImageBuild)
    if built.repository != at.repository:
        raise VerificationError(
            f"the image was built for {built.repository}, not for {at.repository}",
            hint="build it again: `immutable-base ci-image build`",
        )
    require_sound(documents.read(CheckReport))
    sbom = documents.attested()
    require_subject(sbom, repository=built.repository, image_id=built.image_id)
    require_layout(at, built)
    publication = publish_variant(publisher_of(at.context), _request(at, built))
    documents.save(publication)
    return publication


def require_layout(at: CiImage, built: CiImageBuild) -> None:
    """Fetch the layout unless it is here, and require that it is whole and what was built.

    Raises as `image.local.fetch_layout` and `image.oci.require_whole`.
    """
    layout, env = at.documents.layout, at.context.tls.environment
    fetch_layout(at.context.run, layout, env, candidate=built.candidate, digest=built.digest)
    require_whole(layout, digest=built.digest, image_id=built.image_id)


def require_sound(report: CheckReport) -> None:
    """Raise CheckError with every objection if there is one."""
    if report.errors:
        raise CheckError(
            f"{len(report.errors)} checks object to the image of the jobs",
            details="\n".join(
                line for it in report.errors for line in (str(it), *(f"  {e}" for e in it.evidence))
            ),
            hint="change ci/Containerfile, and build it again: `immutable-base ci-image build`",
        )


def _request(at: CiImage, built: CiImageBuild) -> PublishRequest:
    documents = at.documents
    return PublishRequest(
        variant=NAME,
        repository=built.repository,
        digest=built.digest,
        layout=documents.layout,
        sbom=documents.sbom,
        record=ci_image_record(
            built,
            at.context.settings.source,
            {
                **documents.rests_on(Publication),
                FULL_SBOM: documents.read(SbomRecord).full_sha256,
            },
        ),
        provenance=documents.provenance,
        epoch=built.epoch,
        tags=tag_names(TAGS, epoch=built.epoch, kernel="", digest=built.digest),
        rests_on=documents.rests_on(Publication),
    )
