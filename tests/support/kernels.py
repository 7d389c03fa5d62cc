"""What the kernel decision is asked with."""

from immutable_base.plan import kernel

SET = ("kernel", "kernel-core")
WHOLE = frozenset((*SET, "kernel-devel"))
CONSTRAINTS = getattr(kernel, "KernelConstraints", None) or kernel.KernelConstraints


def constraints(
    *candidates, image, ceilings=(), allow_up=True, allow_down=True, known_break=lambda _: None
):
    """Return the question for one variant with one module, on an image with this kernel."""
    policy = kernel.KernelPolicy(
        required=SET, devel="kernel-devel", allow_up=allow_up, allow_down=allow_down
    )
    return CONSTRAINTS(
        image_release=f"{image}.x86_64", image_evr=image, candidates=candidates, ceilings=ceilings, modules=("zfs",),
        known_break=known_break, policy=policy,
    )  # fmt: skip
