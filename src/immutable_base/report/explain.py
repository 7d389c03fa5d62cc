"""The whole story of one variant: base image, kernels, modules, layers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime

from immutable_base.model.plan import (
    RELEASED_BY,
    BasePlan,
    KernelAction,
    KernelPlan,
    LayerPlan,
    ModulePlan,
    Package,
    VariantPlan,
    Verdict,
)
from immutable_base.report.reasons import other_reasons, reasons_by_kernel
from immutable_base.solver.order import Order, order_key


def explanation(variant: VariantPlan, order: Order, repositories: Iterable[str] = ()) -> str:
    """Return everything that was decided for a variant, and why, in words.

    `order` compares versions: kernels are listed newest first. `repositories` are lines about those
    that it may use.
    """
    said = other_reasons(variant)
    lines = [f"{variant.name}: {variant.verdict}, on stream {variant.stream}"]
    if variant.verdict is not Verdict.BUILD:
        lines += [f"  {reason}" for reason in said if not reason.startswith(RELEASED_BY)]
    lines += [f"  warning: {text}" for text in variant.warnings]
    lines += ["", "base image", *_indented(_base(variant.base, variant.kernel))]
    known = tuple(repositories)
    if known:
        lines += ["", "repositories", *_indented(iter(known))]
    lines += ["", "kernels, newest first", *_indented(_kernels(variant, said, order))]
    released = [item.removeprefix(RELEASED_BY) for item in said if item.startswith(RELEASED_BY)]
    if released:
        lines += ["", "what would release it", *_indented(iter(released))]
    if variant.modules:
        lines += ["", "modules"]
        lines += _indented(line for module in variant.modules for line in _module(module))
        lines += _indented(iter((variant.signed_by,)))
    if variant.layers:
        lines += ["", "layers, from the base image up"]
        lines += _indented(line for layer in variant.layers for line in _layer(layer))
    return "\n".join(lines) + "\n"


def _indented(lines: Iterator[str]) -> list[str]:
    return [f"  {line}" for line in lines]


def _base(base: BasePlan, kernel: KernelPlan) -> Iterator[str]:
    yield base.reference
    yield base.digest or "not resolved"
    if base.created:
        yield f"created {datetime.fromtimestamp(base.created, UTC):%Y-%m-%d %H:%M} UTC"
    if kernel.image:
        yield f"its kernel: {kernel.image}"
    if base.compose:
        yield f"its compose: {base.compose}"
    if base.support_end:
        yield f"no support from {base.support_end} on, by its os-release"


def _kernels(variant: VariantPlan, said: tuple[str, ...], order: Order) -> Iterator[str]:
    kernel = variant.kernel
    rejected = reasons_by_kernel(kernel)
    chosen = kernel.chosen_evr
    everything = {*rejected, *([chosen] if chosen else [])}
    told: dict[str, str] = {}
    for evr in sorted(everything, key=order_key(order), reverse=True):
        if evr == chosen:
            yield f"{evr}  chosen: {_choice(kernel, said)}"
        else:
            yield f"{evr}  rejected: {'; '.join(_once(told, evr, item) for item in rejected[evr])}"
    if not everything:
        yield "none was considered"
    if kernel.ceiling:
        yield f"modules accept none above {kernel.ceiling}"


def _once(told: dict[str, str], evr: str, reason: str) -> str:
    """Return the reason, or the kernel of which it was told before."""
    before = told.setdefault(reason, evr)
    return reason if before == evr else f"for the same reason as {before}"


def _choice(kernel: KernelPlan, said: tuple[str, ...]) -> str:
    if kernel.action is KernelAction.KEEP:
        return "; ".join(said)
    return f"{kernel.chosen}, {kernel.action} from the base image's {kernel.image}"


def _module(module: ModulePlan) -> Iterator[str]:
    limit = f"accepts kernels up to {module.maximum}" if module.maximum else "states no limit"
    yield f"{module.name} {module.version}, {limit}"
    yield f"  made from {_package(module.source)}"
    yield f"  arrives as {module.kmod.nevra}, which our builder makes"
    yield f"  its builder installs {_count(module.builder)}, asked for:"
    yield from (f"    {nevra}" for nevra in module.builder_request)


def _layer(layer: LayerPlan) -> Iterator[str]:
    yield f"{layer.name}: {_count(layer.install)}"
    yield from (f"  {_package(package)}" for package in layer.install)
    if layer.erase:
        yield f"  removed first: {', '.join(layer.erase)}"
    if layer.obsoleted:
        yield f"  gone because obsoleted: {', '.join(layer.obsoleted)}"


def _package(package: Package) -> str:
    return f"{package.nevra} from {package.repository}"


def _count(packages: tuple[Package, ...]) -> str:
    return f"{len(packages)} package{'' if len(packages) == 1 else 's'}"
