"""A built image as an OCI layout: what travels to other machines, and is pushed in the end."""

from __future__ import annotations

from immutable_base.build.candidate import leave_candidate
from immutable_base.build.graph import ImageStep
from immutable_base.build.steps import Build
from immutable_base.documents import name_of
from immutable_base.image.oci import require_image
from immutable_base.model.build import ImageLayout
from immutable_base.process import LineSink
from immutable_base.tools import buildah


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
    run, env, candidate = inputs.storage.run, inputs.tls.environment, None
    if inputs.candidates:
        pinned = f"{inputs.candidates}@{digest}"
        candidate = leave_candidate(run, layout, pinned, env, now=inputs.clock())
    record = ImageLayout(
        rests_on=inputs.documents.rests_on(ImageLayout, variant),
        variant=variant.name,
        digest=digest,
        size=size,
        candidate=candidate,
    )
    inputs.documents.write(name_of(ImageLayout, variant), record)
    return digest
