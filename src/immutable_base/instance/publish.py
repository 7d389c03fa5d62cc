"""`publish`: what was decided, built, checked and listed, signed with the instance's identity."""

from __future__ import annotations

from contextlib import AbstractContextManager

from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.image.oci import require_whole
from immutable_base.instance.candidate import require_layout, require_local
from immutable_base.instance.checks import require_sound_instance
from immutable_base.instance.ci_job import MERGE_REQUESTS
from immutable_base.instance.context import InstanceContext
from immutable_base.instance.proofs import require_base, require_own
from immutable_base.instance.provenance import instance_record
from immutable_base.model.check import CheckReport
from immutable_base.model.instance import (
    BaseEvidence,
    DecisionRule,
    InstanceBuild,
    InstanceDecision,
    InstanceFacts,
)
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord
from immutable_base.policy.demands import refuses_by_default
from immutable_base.publish.as_host import AskedHost, open_host
from immutable_base.publish.publish import publish_variant
from immutable_base.publish.request import PublishRequest
from immutable_base.publish.tag_names import tag_names
from immutable_base.sbom.subject import require_subject
from immutable_base.verification.complete.provenance import FULL_SBOM


def publish_instance(at: InstanceContext, decision: InstanceDecision) -> Publication:
    """Push by digest, sign, attest, verify, and only then move the tags; write it down.

    Nothing is written to the registry before all of this holds: the job may sign as the instance,
    the base is the one that was verified, and documents, layout and SBOM are those of one image
    that no check objects to. Raises ConfigurationError in a merge request or without a token, and
    as `publish_variant`.
    """
    if at.job.source in MERGE_REQUESTS:
        raise ConfigurationError(
            "a merge request publishes nothing",
            hint="the default branch's pipeline publishes, once it is merged",
        )
    require_own(at, decision)
    publisher = at.publisher()
    # Also where nothing is left to sign: to move a tag is to publish.
    publisher.token()
    base = require_base(at, decision)
    publication = publish_variant(publisher, _request(at, decision, base))
    at.documents.save(publication)
    return publication


def _request(at: InstanceContext, decision: InstanceDecision, base: BaseEvidence) -> PublishRequest:
    documents = at.documents
    built = documents.read(InstanceBuild)
    if (built.base, built.commit) != (base.pinned, decision.commit):
        raise VerificationError(
            "the image that was built is not what was decided",
            details=f"built on {built.base} from {built.commit}\n"
            f"decided: on {base.pinned} from {decision.commit}",
            hint="build it again: `immutable-base instance build`",
        )
    require_sound_instance(
        documents.read(CheckReport), hint="an image that is not sound is not published"
    )
    sbom = documents.attested()
    require_subject(sbom, repository=decision.repository, image_id=built.image_id)
    require_layout(at, built)
    require_whole(documents.layout, digest=built.digest, image_id=built.image_id)
    facts = documents.read(InstanceFacts).facts
    demands = bool(at.host_trust.keys) or refuses_by_default(facts.host_policy.files)
    return PublishRequest(
        variant=decision.name,
        repository=decision.repository,
        digest=built.digest,
        layout=documents.layout,
        sbom=sbom,
        record=instance_record(
            decision,
            base,
            built,
            {
                **documents.rests_on(Publication),
                FULL_SBOM: documents.read(SbomRecord).full_sha256,
            },
        ),
        provenance=documents.provenance,
        epoch=decision.epoch,
        tags=tag_names(
            at.settings.publish.tags,
            epoch=decision.epoch,
            kernel="".join(facts.kernels[:1]),
            digest=built.digest,
        ),
        rests_on=documents.rests_on(Publication),
        renew=_renewed_from(decision),
        open_host=(lambda: _open_host(at, built)) if demands else None,
    )


def _renewed_from(decision: InstanceDecision) -> int | None:
    """Return when the signature was made that has become old, None if none has.

    An image's age is that of its newest signature. If to build it again gives the same image, it is
    as good as new, and is signed once more: otherwise every schedule would build it again. A job
    that is started again finds the newer signature, and adds none.
    """
    old = decision.published is not None and any(
        reason.rule is DecisionRule.AGE for reason in decision.reasons
    )
    return decision.published.signed_at if old and decision.published else None


def _open_host(at: InstanceContext, built: InstanceBuild) -> AbstractContextManager[AskedHost]:
    require_local(at, built)
    return open_host(at.storage, built.image_id, at.documents.layout, at.tls.environment)
