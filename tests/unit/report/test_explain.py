"""The whole story of one variant, in words."""

import pytest

from immutable_base.model.plan import Verdict
from immutable_base.plan.kernel import decide
from immutable_base.report.explain import explanation
from immutable_base.solver.order import EvrOrder
from support.kernels import constraints, kernel
from support.plans import K1, layer, module, package, variant

ORDER = EvrOrder()
NO_DEVEL = "no repository has kernel-devel for the image's own kernel 6.12.105-1.x86_64"


def sections(found):
    """Return the lines of each section, by its heading."""
    parts = explanation(found, ORDER).rstrip("\n").split("\n\n")
    return {part.split("\n")[0]: [line[2:] for line in part.split("\n")[1:]] for part in parts}


def decided(*offered, verdict=Verdict.BUILD, **changes):
    decision = decide(constraints(*offered, **changes), ORDER)
    found = variant("x", "k", verdict=verdict)
    return found.model_copy(update={"kernel": decision.plan, "reasons": decision.reasons})


def test_kernels_are_in_rpms_order_with_the_chosen_one_among_them():
    breaks = "known to break zfs 2: f"
    found = decided(
        kernel("6.12.99-1"), kernel("6.12.117-1"), kernel("6.12.106-1"), kernel("6.12.94-1"),
        known_break=lambda evr: breaks if ORDER(evr, "6.12.100") > 0 else None,
    )  # fmt: skip
    assert sections(found)["kernels, newest first"] == [
        f"6.12.117-1  rejected: {breaks}",
        "6.12.106-1  rejected: for the same reason as 6.12.117-1",
        f"6.12.105-1  rejected: {NO_DEVEL}; for the same reason as 6.12.117-1",
        "6.12.99-1  chosen: 6.12.99-1.x86_64, down from the base image's 6.12.105-1.x86_64",
        "6.12.94-1  rejected: older than 6.12.99-1, which was chosen",
    ]


def test_a_kernel_that_is_kept_says_why():
    assert sections(decided(modules=()))["kernels, newest first"] == [
        "6.12.105-1  chosen: keeps kernel 6.12.105-1.x86_64: no module needs another"
    ]


def test_a_held_variant_says_why_and_what_would_release_it():
    found = decided(kernel("6.12.117-1", frozenset()), verdict=Verdict.HOLD)
    parts = sections(found)
    assert parts["x: hold, on stream centos-stream-10"] == [
        "held: no kernel fits zfs; the newest offered is 6.12.117-1"
    ]
    [released] = parts["what would release it"]
    assert released.startswith("kernel-devel for 6.12.105-1.x86_64 in a repository, or ")
    assert not any("chosen" in line for line in parts["kernels, newest first"])
    assert "layers, from the base image up" not in parts


def test_a_variant_that_could_not_be_planned_says_its_error_and_invents_nothing():
    nothing = variant("x", None).kernel.model_copy(
        update={"image": "", "image_evr": "", "action": None}
    )
    found = variant("x", None, verdict=Verdict.FAIL).model_copy(
        update={
            "kernel": nothing,
            "base": variant("x", None).base.model_copy(update={"digest": "", "created": 0}),
            "reasons": ("the registry is down", "hint: wait"),
        }
    )
    assert explanation(found, ORDER).splitlines() == [
        "x: fail, on stream centos-stream-10",
        "  the registry is down",
        "  hint: wait",
        "",
        "base image",
        "  registry.example/centos-bootc:stream10",
        "  not resolved",
        "",
        "kernels, newest first",
        "  none was considered",
    ]


def test_base_image_modules_and_layers_with_every_package():
    zfs = module(K1)
    kernel_layer = layer("kernel", package("kernel-core", K1)).model_copy(
        update={"erase": ("kernel", "kernel-core"), "obsoleted": ("old",)}
    )
    found = variant(
        "x", K1, layer("base", package("jq"), package("bind", epoch=32)), kernel_layer,
        layer("zfs", zfs.kmod), modules=[zfs, module(K1, "nvidia").model_copy(update={"maximum": None})],
    )  # fmt: skip
    parts = sections(found)
    assert parts["base image"] == [
        "registry.example/centos-bootc:stream10",
        "sha256:" + "a" * 64,
        "created 1970-01-01 00:16 UTC",
        "its kernel: 6.12.0",
    ]
    assert parts["modules"][:4] == [
        "zfs 2.3.9, accepts kernels up to 7.2",
        "  made from zfs-dkms-2.3.9-1.x86_64 from baseos",
        f"  arrives as {zfs.kmod.nevra}, which our builder makes",
        "  its builder installs 5 packages, asked for:",
    ]
    assert parts["modules"][4:7] == [f"    {nevra}" for nevra in zfs.builder_request]
    assert parts["modules"][7] == "nvidia 2.3.9, states no limit"
    assert parts["layers, from the base image up"] == [
        "base: 2 packages",
        "  jq-1-1.el10.x86_64 from baseos",
        "  bind-32:1-1.el10.x86_64 from baseos",
        "kernel: 1 package",
        f"  kernel-core-{K1}-1.el10.x86_64 from baseos",
        "  removed first: kernel, kernel-core",
        "  gone because obsoleted: old",
        "zfs: 1 package",
        f"  {zfs.kmod.nevra} from local",
    ]


@pytest.mark.parametrize("ceiling", [None, "7.2"])
def test_the_modules_limit_is_named_where_there_is_one(ceiling):
    start = decided(kernel("6.12.117-1"))
    found = start.model_copy(
        update={"kernel": start.kernel.model_copy(update={"ceiling": ceiling})}
    )
    assert ("modules accept none above 7.2" in explanation(found, ORDER)) is (ceiling is not None)
