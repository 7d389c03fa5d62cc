"""Which kernels the repositories offer, and how complete each is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from immutable_base.config.schema import KernelSettings
from immutable_base.errors import PlanError
from immutable_base.image.rpmdb import UNAME_R, Installed
from immutable_base.plan import kernel
from immutable_base.plan.base_image import Base
from immutable_base.solver.pool import PackagePool


@dataclass(frozen=True, slots=True, kw_only=True)
class KernelSet:
    """The kernel packages of a base image."""

    swapped: tuple[str, ...]
    """Names that a swap installs again: those of the policy that the image has."""
    erased: frozenset[str]
    """Names that a swap removes: the former, and whatever else is bound to this very kernel."""


def installed_set(base: Base, policy: KernelSettings) -> KernelSet:
    """Return what belongs to the base image's kernel."""
    installed = {package.name for package in base.packages}
    names = (*policy.packages, *policy.optional_packages)
    swapped = tuple(name for name in names if name in installed)
    bound = {p.name for p in base.packages if _bound(p, base.kernel.release)}
    return KernelSet(swapped=swapped, erased=frozenset(bound | set(swapped)))


def _bound(package: Installed, release: str) -> bool:
    """Tell whether a package belongs to exactly one kernel, as kernel-uki-virt does."""
    return any(
        relation.name.endswith("-uname-r") and relation.evr == release
        for relation in (*package.requires, *package.provides)
    )


def find_candidates(
    pool: PackagePool, repositories: Sequence[str], policy: KernelSettings, swapped: Sequence[str]
) -> tuple[kernel.Candidate, ...]:
    """Return every kernel of which some package of the set is offered.

    A package counts at its EVR; kernel-devel only if it is for what that kernel's `uname -r`
    prints, because modules are bound to that text and not to a version.
    """
    present: dict[str, set[str]] = {}
    releases: dict[str, str] = {}
    devels: dict[str, set[str]] = {}
    devel = policy.devel_package
    for name in dict.fromkeys((*policy.packages, *swapped, devel)):
        for solvable in pool.named(name, repositories):
            present.setdefault(solvable.evr, set()).add(name)
            for printed in pool.provided(solvable, UNAME_R):
                releases.setdefault(solvable.evr, printed)
            if name == devel:
                found = pool.provided(solvable, f"{devel}-uname-r")
                devels.setdefault(solvable.evr, set()).update(found)
    candidates = []
    for evr, names in present.items():
        # A kernel whose image package has gone may still have its kernel-devel.
        release = releases.get(evr) or next(iter(sorted(devels.get(evr, ()))), None)
        if release not in devels.get(evr, set()):
            names.discard(devel)
        candidates.append(kernel.Candidate(evr=evr, release=release, packages=frozenset(names)))
    return tuple(candidates)


def devel_for(
    pool: PackagePool, repositories: Sequence[str], policy: KernelSettings, release: str
) -> int:
    """Return the id of the newest kernel-devel for exactly this `uname -r`.

    Raises PlanError if there is none.
    """
    name = policy.devel_package
    for solvable in pool.named(name, repositories):
        if release in pool.provided(solvable, f"{name}-uname-r"):
            return solvable.id
    raise PlanError(f"no repository has {name} for {release}")


def kernel_policy(policy: KernelSettings, kernel_set: KernelSet) -> kernel.KernelPolicy:
    """Return the configured policy as the decision takes it."""
    required = tuple(dict.fromkeys((*policy.packages, *kernel_set.swapped)))
    return kernel.KernelPolicy(
        required=required,
        devel=policy.devel_package,
        allow_up=policy.allow_up,
        allow_down=policy.allow_down,
    )
