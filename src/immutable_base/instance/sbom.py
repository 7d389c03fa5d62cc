"""The SBOM of an instance's image."""

from __future__ import annotations

from immutable_base.instance.candidate import require_local
from immutable_base.instance.context import InstanceContext
from immutable_base.model.instance import InstanceBuild, InstanceDecision, InstanceFacts
from immutable_base.model.sbom import SbomRecord
from immutable_base.sbom.full import record_of
from immutable_base.sbom.make import SbomRequest, container_component, write_sbom
from immutable_base.sbom.modules import found_modules
from immutable_base.sbom.subject import BASE, BASE_SIGNED_AT, IMAGE_ID, KERNEL_RELEASE
from immutable_base.tools import buildah


def make_instance_sbom(at: InstanceContext, decision: InstanceDecision) -> SbomRecord:
    """Write the SBOM of the image that was read, and which image it lists.

    Raises as `sbom.make.write_sbom`.
    """
    documents = at.documents
    built, found = documents.read(InstanceBuild), documents.read(InstanceFacts)
    require_local(at, built)
    said = {
        BASE: built.base,
        **({BASE_SIGNED_AT: str(decision.base.signed_at)} if decision.base else {}),
        "immutable-base:commit": built.commit,
        KERNEL_RELEASE: " ".join(found.facts.kernels),
        IMAGE_ID: built.image_id,
    }
    with buildah.mounted(at.storage, built.image_id) as root:
        request = SbomRequest(
            image=container_component(decision.repository, said, epoch=decision.epoch),
            epoch=decision.epoch,
            modules=tuple(found_modules(found.facts, root)),
            signing=at.signing,
        )
        write_sbom(at.run, root, request, facts=found.facts, document=documents.sbom)
    record = record_of(
        documents.sbom,
        variant=decision.name,
        image_id=built.image_id,
        packages=len(found.facts.packages),
        rests_on=documents.rests_on(SbomRecord),
    )
    documents.save(record)
    return record
