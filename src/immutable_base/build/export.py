"""A built image as an OCI layout: what travels to other machines, and is pushed in the end."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from immutable_base.build.graph import ImageStep
from immutable_base.build.inputs import BuildInputs
from immutable_base.build.steps import Build
from immutable_base.documents import name_of
from immutable_base.image.oci import require_image
from immutable_base.model.build import ImageLayout
from immutable_base.model.reference import CANDIDATE_TAG, fill_tag
from immutable_base.process import LineSink
from immutable_base.tools import buildah, skopeo


def export_image(build: Build, step: ImageStep, _report: LineSink) -> str:
    """Write the image that was built as a layout, and write down its digest.

    Where images are left for other machines, it is pushed there by digest. Raises CheckError if the
    layout does not hold that image, RemoteError if the registry does not take it.
    """
    inputs, variant = build.inputs, step.variant
    image = build.images[variant.name]
    layout = inputs.documents.layout(variant)
    digest = buildah.write_layout(inputs.storage, image, layout)
    size = require_image(layout, digest=digest, image_id=image)
    candidate = _leave_candidate(inputs, layout, digest) if inputs.candidates else None
    record = ImageLayout(
        rests_on=inputs.documents.rests_on(ImageLayout, variant),
        variant=variant.name,
        digest=digest,
        size=size,
        candidate=candidate,
    )
    inputs.documents.write(name_of(ImageLayout, variant), record)
    return digest


def _leave_candidate(inputs: BuildInputs, layout: Path, digest: str) -> str:
    """Push an image by its digest, and return where it is.

    Its tag tells a registry not to collect it yet, and `registry prune` since when it is there; no
    stage asks for it by that.
    """
    run, env, pinned = inputs.storage.run, inputs.tls.environment, f"{inputs.candidates}@{digest}"
    skopeo.push(run, layout, pinned, env)
    today = datetime.fromtimestamp(inputs.clock(), UTC).strftime("%Y%m%d")
    tag = fill_tag(CANDIDATE_TAG, date=today, kernel="", digest=digest)
    skopeo.move_tag(run, pinned, f"{inputs.candidates}:{tag}", env)
    return pinned
