"""Labels of a finished image: who made it, from what, with which kernel and modules."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import UTC, datetime

from immutable_base.config.schema import Settings
from immutable_base.model.plan import KernelPlan, VariantPlan
from immutable_base.policy.accepted import HOSTS_ACCEPT

OCI = "org.opencontainers.image"
"""Prefix of the pre-defined keys. Source: OCI Image Specification 1.1, "Annotations"."""
KERNEL = "io.immutable-base.kernel"
MODULE = "io.immutable-base.module"
MODULES = "io.immutable-base.modules"
"""`unsigned`, or `signed by` with the certificate's name and the beginning of its SHA-256; only of
images with modules of ours."""
VARIANT = "io.immutable-base.variant"
"""Of an instance: the name of its base variant."""
OSTREE_KERNEL = "ostree.linux"
"""What `uname -r` prints, as rpm-ostree and ostree-ext write it into bases. Others choose kernel
modules by it, ublue-os/akmods for one."""
OF_THE_BASE_ONLY = frozenset({
    f"{OCI}.ref.name", f"{OCI}.revision", "build-date", "org.label-schema.build-date",
    "org.label-schema.vcs-ref", "org.label-schema.vcs-url", "rpmostree.inputhash", "vcs-ref",
    "vcs-type", "vcs-url", HOSTS_ACCEPT,
})  # fmt: skip
"""Labels that tell of which commit, when and from which inputs an image was made, its tag, and what
its hosts take. Said of our image, the base's are wrong."""


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
        **({MODULES: variant.signed_by} if variant.modules else {}),
        **({HOSTS_ACCEPT: variant.hosts_accept} if variant.hosts_accept else {}),
    }


def base_annotations(variant: VariantPlan) -> dict[str, str]:
    """Return the annotations that name the base image (buildah would name our own layer)."""
    return {
        f"{OCI}.base.name": variant.base.reference,
        f"{OCI}.base.digest": variant.base.digest,
    }


def correct(inherited: Mapping[str, str], kernel: KernelPlan) -> dict[str, str | None]:
    """Return what an image must say otherwise than its base; None: nothing at all.

    `inherited` are the base's labels, or its annotations. Where the kernel is another one, every
    value that names the base's gets the chosen one.
    """
    found: dict[str, str | None] = {}
    for key, value in inherited.items():
        true = (kernel.chosen or "") if key == OSTREE_KERNEL else _with_kernel(value, kernel)
        if key in OF_THE_BASE_ONLY:
            found[key] = None
        elif true != value:
            found[key] = true
    return found


def names_kernel(text: str, kernel: str) -> bool:
    """Tell whether a text holds a kernel's release or version, and not that of a longer one."""
    return _pattern(kernel).search(text) is not None


def _with_kernel(text: str, kernel: KernelPlan) -> str:
    pairs = ((kernel.image, kernel.chosen), (kernel.image_evr, kernel.chosen_evr))
    for old, new in pairs:
        if old and new:
            # As a function: a backslash in a template would mean something.
            text = _pattern(old).sub(lambda _, new=new: new, text)  # type: ignore[misc]  # mypy: defaults of lambdas
    return text


def _pattern(kernel: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![\w.]){re.escape(kernel)}(?![\w+~^-])")
