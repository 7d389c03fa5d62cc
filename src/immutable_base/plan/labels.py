"""Labels of a finished image: who made it, from what, with which kernel and modules."""

from __future__ import annotations

from datetime import UTC, datetime

from immutable_base.config.schema import Settings
from immutable_base.model.plan import VariantPlan

OCI = "org.opencontainers.image"
"""Prefix of the pre-defined keys. Source: OCI Image Specification 1.1, "Annotations"."""
KERNEL = "io.immutable-base.kernel"
MODULE = "io.immutable-base.module"


def variant_labels(settings: Settings, variant: VariantPlan) -> dict[str, str]:
    """Return the labels that the plan promises for a variant.

    No revision: a commit that changes nothing in the image must not change the image. Which commit
    built it is in the certificate of its signature.
    """
    newest = datetime.fromtimestamp(variant.source_date_epoch, UTC)
    return {
        f"{OCI}.title": variant.name,
        f"{OCI}.description": settings.variants[variant.name].description,
        f"{OCI}.vendor": settings.vendor,
        f"{OCI}.licenses": settings.licenses,
        f"{OCI}.source": settings.source,
        f"{OCI}.version": newest.strftime("%Y%m%d"),
        f"{OCI}.created": newest.strftime("%Y-%m-%dT%H:%M:%SZ"),
        **base_annotations(variant),
        "containers.bootc": "1",
        KERNEL: variant.kernel.chosen or "",
        **{f"{MODULE}.{module.name}": module.version for module in variant.modules},
    }


def base_annotations(variant: VariantPlan) -> dict[str, str]:
    """Return the annotations that name the base image (buildah would name our own layer)."""
    return {
        f"{OCI}.base.name": variant.base.reference,
        f"{OCI}.base.digest": variant.base.digest,
    }
