"""A variant's reasons, each of them once."""

from __future__ import annotations

from dataclasses import dataclass

from immutable_base.model.plan import NOT_NEWEST, OWN_KERNEL_IS, KernelPlan, VariantPlan


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """Kernels that are rejected for one reason."""

    reason: str
    kernels: tuple[str, ...]
    """EVRs, newest first."""


def rejections(kernel: KernelPlan) -> tuple[Rejection, ...]:
    """Return every reason once, with its kernels, in the order of the first of them."""
    found: dict[str, list[str]] = {}
    for evr, reasons in reasons_by_kernel(kernel).items():
        for reason in reasons:
            found.setdefault(reason, []).append(evr)
    return tuple(Rejection(reason=reason, kernels=tuple(evrs)) for reason, evrs in found.items())


def reasons_by_kernel(kernel: KernelPlan) -> dict[str, tuple[str, ...]]:
    """Return what is said against each rejected kernel, in words that kernels may share."""
    return {item.evr: _apart(item.reason) for item in kernel.rejected}


def _apart(reason: str) -> tuple[str, ...]:
    """Take apart what is said against the base image's own kernel: two things may be."""
    alone, _, shared = reason.partition(OWN_KERNEL_IS)
    return tuple(part for part in (alone.removesuffix("; "), shared) if part)


def other_reasons(variant: VariantPlan) -> tuple[str, ...]:
    """Return the variant's reasons without what is said of a rejected kernel anyway."""
    # The longest first: one may be the beginning of another.
    said = sorted((item.reason for item in variant.kernel.rejected), key=len, reverse=True)
    left = []
    for reason in variant.reasons:
        for words in said:
            reason = reason.replace(f": {words}", "")  # noqa: PLW2901  it gets shorter step by step
        if not reason.startswith(NOT_NEWEST):
            left.append(reason)
    return tuple(left)
