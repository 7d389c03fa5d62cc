import pytest

from immutable_base.build.graph import build_graph
from support.plans import K1, K2, plan


@pytest.fixture(scope="module")
def graph():
    return build_graph(plan())


def test_a_module_is_built_once_per_kernel(graph):
    assert [(step.kernel, step.variants) for step in graph.modules] == [
        (K2, ("base-zfs", "base-zfs-again")),
        (K1, ("base-zfs-old",)),
    ]


def test_layers_are_shared_by_variants_with_the_same_stack(graph):
    shared = {(step.layer.name, step.kernel): step.variants for step in graph.layers}
    assert shared == {
        ("base", None): ("base", "base-zfs", "base-zfs-again", "base-zfs-old"),
        ("kernel", K2): ("base-zfs", "base-zfs-again"),
        ("zfs", K2): ("base-zfs", "base-zfs-again"),
        ("kernel", K1): ("base-zfs-old",),
        ("zfs", K1): ("base-zfs-old",),
    }


def test_each_layer_stands_on_the_one_before_and_waits_for_its_module(graph):
    by_id = {step.id: step for step in graph.layers}
    zfs = next(step for step in graph.layers if step.layer.name == "zfs" and step.kernel == K1)
    assert zfs.modules == (graph.modules[1].id,)
    assert by_id[zfs.parent].layer.name == "kernel"
    assert by_id[by_id[zfs.parent].parent].parent is None


def test_a_variant_on_hold_needs_nothing(graph):
    assert [step.id for step in graph.images] == [
        "image:base", "image:base-zfs", "image:base-zfs-again", "image:base-zfs-old",
    ]  # fmt: skip


def test_names_do_not_depend_on_which_other_variants_are_built(graph):
    whole = plan()
    alone = build_graph(whole.model_copy(update={"variants": whole.variants[2:3]}))
    assert {step.tag for step in alone.layers} < {step.tag for step in graph.layers}


def test_every_package_is_fetched_once_and_local_ones_never(graph):
    names = [package.name for package in graph.packages]
    assert names.count("zfs-dkms") == 1
    assert names.count("kernel-core") == 2
    assert not [name for name in names if "prebuilt" in name]
