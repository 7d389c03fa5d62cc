"""What went into an instance's image: from its decision and its build; pure."""

from __future__ import annotations

from collections.abc import Mapping

from immutable_base.model.instance import BaseEvidence, InstanceBuild, InstanceDecision
from immutable_base.provenance.record import (
    BuildRecord,
    base_material,
    source_material,
    tool_material,
)
from immutable_base.verification.complete.provenance import INSTANCE


def instance_record(
    decision: InstanceDecision,
    base: BaseEvidence,
    built: InstanceBuild,
    byproducts: Mapping[str, str],
) -> BuildRecord:
    """Return what is known of the build of an instance's image.

    Its steps have the network, and what they fetch is not known here: the SBOM lists what they have
    installed.
    """
    return BuildRecord(
        build_type=INSTANCE,
        parameters={
            "base": base.reference,
            "instance": decision.name,
            "repository": decision.repository,
            "source": decision.source,
        },
        internal={"sourceDateEpoch": decision.epoch},
        materials=(
            base_material(built.base, base.reference),
            source_material(decision.source, built.commit),
            tool_material("buildah", built.buildah),
        ),
        byproducts=byproducts,
    )
