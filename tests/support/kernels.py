"""What the kernel decision is asked with."""

import dataclasses

from immutable_base.plan.kernel import Candidate, KernelConstraints, KernelPolicy

SET = ("kernel", "kernel-core")
WHOLE = frozenset((*SET, "kernel-devel"))
IMAGE = "6.12.105-1"


def kernel(evr: str, packages: frozenset[str] = WHOLE) -> Candidate:
    """Return a kernel that repositories offer, whole unless said otherwise."""
    return Candidate(evr=evr, release=f"{evr}.x86_64", packages=packages)


def policy(*, up: bool = True, down: bool = True) -> KernelPolicy:
    """Return a policy that needs a set of two packages."""
    return KernelPolicy(required=SET, devel="kernel-devel", allow_up=up, allow_down=down)


def constraints(*candidates: Candidate, image: str = IMAGE, **changes) -> KernelConstraints:
    """Return what decides for a variant with one module, on an image with this kernel."""
    start = KernelConstraints(
        image_release=f"{image}.x86_64",
        image_evr=image,
        candidates=candidates,
        ceilings=(),
        modules=("zfs",),
        known_break=lambda _version: None,
        policy=policy(),
    )
    return dataclasses.replace(start, **changes)
