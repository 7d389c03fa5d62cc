"""Checks of packages, versions, leftovers and labels."""

from __future__ import annotations

from collections import Counter

from immutable_base.check.interface import Check, HasFacts, Objection, Subject, unless, unless_base
from immutable_base.check.outputs import dnf_problems
from immutable_base.model.evr import Evr
from immutable_base.plan.labels import OSTREE_KERNEL, names_kernel, variant_labels

BUILD_TOOLS = frozenset({
    "akmods", "dkms", "gcc", "gcc-c++", "kernel-devel", "kernel-devel-matched", "kernel-headers",
    "kmod-nvidia-open-dkms", "make", "rpm-build", "zfs-dkms",
})  # fmt: skip
"""What compiles modules, which no image holds. kernel-headers comes with glibc-devel, so it gives a
compiler away; DKMS packages are in the configuration too, these are their usual names."""


def no_build_tools(subject: HasFacts) -> Objection | None:
    """Neither packages nor files of a build are in the image, unless the base itself has them."""
    tools = BUILD_TOOLS | {module.source_package for module in subject.settings.modules.values()}
    tools |= {subject.settings.kernel.devel_package}
    facts, base = subject.facts, subject.facts.base
    theirs = {package.name for package in base.packages}
    wrong = [str(p) for p in facts.packages if p.name in tools and p.name not in theirs]
    wrong += [f"/{path}" for path in facts.leftovers]
    return unless_base(
        wrong, "left over from a build", base=[f"/{path}" for path in base.leftovers]
    )


def versions_equal(subject: Subject) -> Objection | None:
    """Modules have the planned version, and so have the packages that were asked for with them."""
    promised = subject.promised_modules
    wrong = [
        f"{module.name}.ko: {module.version or 'no version'}, planned {promised[module.name]}"
        for module in subject.facts.modules
        if module.name in promised and not _is_version(module.version, promised[module.name])
    ]
    installed = {package.name: package.evr for package in subject.facts.packages}
    for module in subject.plan.modules:
        kmod = installed.get(module.kmod.name)
        if kmod != module.kmod.evr:
            wrong.append(
                f"{module.kmod.name}: {kmod or 'not installed'}, planned {module.kmod.evr}"
            )
        wrong += _userspace(subject, module.name, module.version, installed)
    return unless(wrong, "versions differ")


def _is_version(found: str, planned: str) -> bool:
    # ZFS writes its release too: 2.3.9-1.
    return found == planned or found.startswith(f"{planned}-")


def _userspace(subject: Subject, module: str, version: str, installed: dict[str, str]) -> list[str]:
    layers = [layer for layer in subject.settings.layers.values() if layer.module == module]
    # The package that carries the module's name first is its userspace: zfs, nvidia-driver-cuda.
    names = {n for layer in layers for n in layer.packages[:1]}
    found = {name: installed.get(name, "not installed") for name in sorted(names)}
    wrong = [
        f"{name}: {evr}, module {version}"
        for name, evr in found.items()
        if Evr.parse(evr).version != version
    ]
    firmware = subject.facts.firmware
    if module == "nvidia" and firmware and firmware != (version,):
        wrong.append(f"GSP firmware: {', '.join(firmware)}, module {version}")
    return wrong


def labels(subject: Subject) -> Objection | None:
    """Every promised label is there with its value."""
    promised = variant_labels(subject.settings, subject.plan)
    found = subject.facts.labels
    wrong = [
        f"{key}: {found.get(key, 'missing')!r}, promised {value!r}"
        for key, value in sorted(promised.items())
        if found.get(key) != value
    ]
    return unless(wrong, "labels differ")


def labels_kernel(subject: Subject) -> Objection | None:
    """No label or annotation names another kernel than the image's, the base's for one."""
    facts, old = subject.facts, subject.plan.kernel
    stale = {*facts.base.kernel_packages, old.image, old.image_evr} - {"", *facts.kernels}
    if old.chosen_evr == old.image_evr:
        stale.discard(old.image_evr)
    wrong = [
        f"{kind} {key}: {value!r}, the image's kernel is {', '.join(facts.kernels)}"
        for kind, texts in (("label", facts.labels), ("annotation", facts.annotations))
        for key, value in sorted(texts.items())
        if (key == OSTREE_KERNEL and (value,) != facts.kernels)
        or any(names_kernel(value, kernel) for kernel in stale)
    ]
    return unless(wrong, "tools would take the image for one with another kernel")


def packages_match_plan(subject: Subject) -> Objection | None:
    """The rpmdb is the base's, with the transactions of all layers carried out, and no more."""
    expected = Counter((p.name, p.evr, p.arch) for p in subject.facts.base.packages)
    for layer in subject.plan.layers:
        new = [(p.name, p.evr, p.arch) for p in layer.install]
        gone = {(name, arch) for name, _, arch in new}
        for key in list(expected):
            if key[0] in (*layer.erase, *layer.obsoleted) or (key[0], key[2]) in gone:
                del expected[key]
        expected.update(new)
    found = Counter((p.name, p.evr, p.arch) for p in subject.facts.packages)
    wrong = [f"missing: {n}-{e}.{a}" for n, e, a in sorted(expected - found)]
    wrong += [f"not planned: {n}-{e}.{a}" for n, e, a in sorted(found - expected)]
    return unless(wrong, "the rpmdb is not what the plan promised")


def rpm_verify(subject: Subject) -> Objection | None:
    """`rpm -V` finds nothing wrong with our module packages."""
    missing = {module.kmod.name for module in subject.plan.modules} - subject.facts.verify.keys()
    wrong = [f"{name}: not verified" for name in sorted(missing)]
    for name, output in subject.facts.verify.items():
        if output.status != 0 or output.text:
            wrong += [f"{name}: {line}" for line in output.text.splitlines() or ["failed"]]
    return unless(wrong, "rpm -V objects")


def dnf_check(subject: HasFacts) -> Objection | None:
    """`dnf check` finds nothing but what it finds in the base image."""
    output, base = subject.facts.dnf_check, subject.facts.base.dnf_check
    if output.status == 0:
        return None
    # No problem named: it ended for another reason, which the base's answer does not excuse.
    wrong = dnf_problems(output.text)
    if not wrong:
        return Objection(message="dnf check failed", evidence=tuple(output.text.splitlines()))
    excused = dnf_problems(base.text) if base and base.status == output.status else ()
    return unless_base(wrong, "dnf check objects", base=excused)


OF_ANY_IMAGE: tuple[Check[HasFacts], ...] = (
    Check(
        id="no-build-tools",
        title="no compiler, DKMS, kernel-devel or sources",
        reason="a host compiles nothing; what is not there needs no updates and helps no attacker",
        function=no_build_tools,
    ),
    Check(
        id="dnf-check",
        title="no broken dependency in the rpmdb",
        reason="a later layer or instance could not install anything on top",
        function=dnf_check,
    ),
)
"""Those that need no plan."""
CHECKS: tuple[Check[Subject], ...] = (
    Check(
        id="versions-equal",
        title="modules, their userspace and firmware of one version",
        reason="ZFS and NVIDIA refuse to work with another version's modules",
        function=versions_equal,
    ),
    Check(
        id="labels",
        title="the promised labels",
        reason="people and tools read kernel, modules and base from them",
        function=labels,
    ),
    Check(
        id="labels-kernel",
        title="no label of another kernel",
        reason="tools choose kernel modules by what the base's labels say, ostree.linux for one",
        function=labels_kernel,
    ),
    Check(
        id="packages-match-plan",
        title="exactly the planned packages",
        reason="what the plan showed is what hosts get",
        function=packages_match_plan,
    ),
    Check(
        id="rpm-verify",
        title="module packages as they were packed",
        reason="a file that changed after its package was made was changed by nobody's plan",
        function=rpm_verify,
    ),
    *OF_ANY_IMAGE,
)
