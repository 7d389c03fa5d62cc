import pytest

from immutable_base.build.graph import build_graph
from immutable_base.errors import ConfigurationError
from immutable_base.model.checksum import Checksum
from immutable_base.model.plan import KeyPlan, Plan, Verdict
from support.plans import BASE, K1, K2, layer, module, package, plan, variant


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


def test_the_keys_of_the_plan_go_with_every_part_of_it():
    key = KeyPlan(name="k", fingerprint="A" * 40, file_sha256=None, armored="key")
    graph = build_graph(plan().model_copy(update={"keys": (key,)}))
    parts = (graph, graph.only_modules("zfs", None), graph.only_images({"base"}))
    assert [part.keys for part in parts] == [(key,)] * 3


# ------------------------------------------------------------------ what must not be shared


def of(*variants):
    return build_graph(Plan(repositories=(), keys=(), variants=variants))


def test_the_same_layer_on_different_parents_is_built_on_each():
    utilities, tools = layer("base", package("htop")), layer("tools", package("jq"))
    graph = of(
        variant("plain", "k", utilities, tools), variant("other", "k", layer("x", package("y")), tools)
    )  # fmt: skip
    steps = [step for step in graph.layers if step.layer.name == "tools"]
    assert [step.variants for step in steps] == [("plain",), ("other",)]
    assert len({step.tag for step in steps}) == len({step.id for step in steps}) == 2
    assert {step.parent for step in steps} == {
        step.id for step in graph.layers if step.layer.name != "tools"
    }


def test_the_same_layer_on_another_base_image_is_another_layer():
    utilities = layer("base", package("htop"))
    one = variant("one", "k", utilities)
    other = variant("two", "k", utilities)
    moved = other.model_copy(
        update={"base": BASE.model_copy(update={"digest": "sha256:" + "b" * 64})}
    )
    graph = of(one, moved)
    assert [step.variants for step in graph.layers] == [("one",), ("two",)]
    assert len({step.tag for step in graph.layers}) == 2


def test_a_layer_that_installs_a_module_is_built_for_each_kernel():
    zfs2, zfs1 = module(K2), module(K1)
    one_layer = layer("zfs", package("zfs", "2.3.9"), zfs2.kmod)
    graph = of(
        variant("new", K2, one_layer, modules=[zfs2]),
        variant("old", K1, one_layer, modules=[zfs1]),
    )
    assert [(step.kernel, step.modules) for step in graph.layers] == [
        (K2, (graph.modules[0].id,)),
        (K1, (graph.modules[1].id,)),
    ]
    assert len({step.tag for step in graph.layers}) == 2


def test_a_module_is_shared_only_by_variants_that_plan_it_alike():
    zfs = module(K2)
    newer = zfs.model_copy(update={"source_date_epoch": zfs.source_date_epoch + 1})
    with pytest.raises(ValueError, match="two and one plan it differently"):
        of(
            variant("one", K2, layer("zfs", zfs.kmod), modules=[zfs]),
            variant("two", K2, layer("zfs", newer.kmod), modules=[newer]),
        )


def test_a_module_is_not_shared_across_base_images():
    """Its compiler is the base image's."""
    zfs = module(K2)
    moved = BASE.model_copy(update={"digest": "sha256:" + "b" * 64})
    one = variant("one", K2, layer("zfs", zfs.kmod), modules=[zfs])
    with pytest.raises(ValueError, match="plan it differently"):
        of(one, one.model_copy(update={"name": "two", "base": moved}))


def test_a_held_variant_is_built_in_no_part_even_if_its_plan_is_filled_in():
    zfs = module(K2)
    held = variant("held", K2, layer("zfs", zfs.kmod), modules=[zfs], verdict=Verdict.HOLD)
    failed = variant("failed", None, verdict=Verdict.FAIL)
    graph = of(held, failed)
    assert (graph.modules, graph.layers, graph.images, graph.packages) == ((), (), (), ())


def test_a_plan_that_builds_without_a_kernel_is_refused():
    with pytest.raises(ValueError, match="names no kernel"):
        of(variant("base", None, layer("kernel", package("kernel-core"))))


def test_files_of_one_name_in_two_repositories_are_both_fetched():
    one, other = package("lib"), package("lib", repository="epel")
    other = other.model_copy(update={"checksum": Checksum.of("sha512", "f" * 128)})
    assert one.file_name == other.file_name
    graph = of(variant("base", "k", layer("base", one), layer("more", other)))
    assert {item.checksum for item in graph.packages} == {one.checksum, other.checksum}


def test_the_compilers_packages_are_fetched_too():
    zfs = module(K2)
    graph = of(variant("base-zfs", K2, layer("zfs", zfs.kmod), modules=[zfs]))
    assert {item.nevra for item in graph.packages} == {item.nevra for item in zfs.builder}


def test_packages_are_fetched_in_an_order_that_is_always_the_same(graph):
    names = [(item.file_name, str(item.checksum)) for item in graph.packages]
    assert names == sorted(names)


# ------------------------------------------------------------------ machines for one variant each


def test_a_machine_for_each_variant_compiles_every_package_once(graph):
    shares = {
        name: [step.id for step in graph.only_modules_of("zfs", name).modules]
        for name in ("base-zfs", "base-zfs-again", "base-zfs-old")
    }
    assert shares == {
        "base-zfs": [graph.modules[0].id],
        "base-zfs-again": [],  # on the kernel of base-zfs
        "base-zfs-old": [graph.modules[1].id],
    }
    assert graph.step_of("zfs", "base-zfs-again").variants[0] == "base-zfs"


@pytest.mark.parametrize(("module", "name"), [("nvidia", "base-zfs"), ("zfs", "base")])
def test_a_module_that_a_variant_does_not_have_is_named(graph, module, name):
    with pytest.raises(ConfigurationError, match=f"no module '{module}' for '{name}'"):
        graph.only_modules_of(module, name)
