"""What went into the image of the jobs: from its build; pure."""

from __future__ import annotations

from collections.abc import Mapping

from immutable_base.model.ci_image import CiImageBuild
from immutable_base.provenance.record import (
    BuildRecord,
    base_material,
    source_material,
    tool_material,
)
from immutable_base.verification.complete.provenance import CI_IMAGE


def ci_image_record(built: CiImageBuild, source: str, byproducts: Mapping[str, str]) -> BuildRecord:
    """Return what is known of the build of the image; `source` is the project's URL."""
    return BuildRecord(
        build_type=CI_IMAGE,
        parameters={"base": built.base, "repository": built.repository, "source": source},
        internal={"sourceDateEpoch": built.epoch},
        materials=(
            base_material(built.base),
            source_material(source, built.commit),
            tool_material("buildah", built.buildah),
        ),
        byproducts=byproducts,
    )
