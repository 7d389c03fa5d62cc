import pytest

from immutable_base.build.graph import build_graph
from immutable_base.build.input_folder import copy_context
from immutable_base.build.log_tail import following
from immutable_base.build.modules import _split
from immutable_base.build.nodes import build_nodes
from immutable_base.build.packages import Store
from immutable_base.config.load import load_settings
from immutable_base.context import Context
from immutable_base.model.plan import KeyPlan
from immutable_base.plan.labels import variant_labels
from immutable_base.run.build_inputs import build_inputs_of
from support.build_world import BuildWorld, flags_of
from support.paths import ROOT
from support.plans import BASE, K1, K2, plan


@pytest.fixture
def context(tmp_path):
    def refuse(command):
        pytest.fail(f"started a program: {command}")

    return Context(
        settings=load_settings(ROOT / "immutable-base.toml"), config_path=ROOT / "immutable-base.toml",
        layers_folder=ROOT / "layers", workspace=tmp_path, run=refuse,
    )  # fmt: skip


@pytest.fixture
def nodes(context):
    return {node.id: node for node in build_nodes(build_inputs_of(context), build_graph(plan()))[1]}


def test_an_image_needs_its_whole_stack_and_nothing_of_other_kernels(nodes):
    def all_needs(name):
        return {name}.union(*(all_needs(need) for need in nodes[name].needs))

    titles = sorted(nodes[name].title for name in all_needs("image:base-zfs-old"))
    assert titles == [
        "base centos-bootc:stream10", f"compile zfs 2.3.9 for {K1}", "fetch 11 packages", "image base-zfs-old",
        "layer base (centos-stream-10)", f"layer kernel (centos-stream-10, kernel {K1})",
        f"layer zfs (centos-stream-10, kernel {K1})",
    ]  # fmt: skip
    assert f"module:centos-stream-10:zfs-2.3.9:{K2}" in all_needs("image:base-zfs")


def test_every_node_names_the_variants_that_need_it(nodes):
    assert nodes["fetch"].variants == ("base", "base-zfs", "base-zfs-again", "base-zfs-old")
    assert nodes[f"module:centos-stream-10:zfs-2.3.9:{K1}"].variants == ("base-zfs-old",)


def test_packages_are_verified_with_the_keys_of_the_plan(context, monkeypatch):
    key = KeyPlan(name="k", fingerprint="A" * 40, file_sha256=None, armored="key")
    graph = build_graph(plan().model_copy(update={"keys": (key,)}))
    asked = []

    def fetch(inputs, packages, keys, report):
        asked.extend(keys)
        return Store(folder=inputs.run_folder)

    monkeypatch.setattr("immutable_base.build.nodes.fetch_packages", fetch)
    _, (first, *_) = build_nodes(build_inputs_of(context), graph)
    first.action(lambda _line: None)
    assert asked == [key]


def test_kernels_and_the_dkms_package_are_installed_without_scriptlets(context):
    step = build_nodes(build_inputs_of(context), build_graph(plan()))[0].graph.modules[0]
    without, requested = _split(context.settings, step)
    assert without == ("zfs-dkms-2.3.9-1.x86_64", f"kernel-devel-{K2}-1.el10.x86_64")
    # dkms and what it drags in come with the second transaction: EPEL's requires
    # `(kernel-devel-matched if kernel-core)`, which brings a kernel.
    assert requested == ("gcc-1-1.el10.x86_64",)


def test_a_layer_is_copied_with_modes_that_no_umask_changes(context, tmp_path):
    images = tmp_path / "layers" / "zfs"
    (images / "files").mkdir(parents=True, mode=0o700)
    (images / "files" / "zfs.conf").write_text("zfs\n")
    (images / "files" / "zfs.conf").chmod(0o640)
    (images / "run-me").write_text("#!/bin/sh\n")
    (images / "run-me").chmod(0o775)
    changed = Context(
        settings=context.settings, config_path=context.config_path, layers_folder=images.parent, workspace=tmp_path / "w",
        run=context.run,
    )  # fmt: skip
    copy = copy_context(build_inputs_of(changed), "zfs", "layer:x:zfs")
    modes = {path.name: path.stat().st_mode & 0o777 for path in copy.rglob("*")}
    assert modes == {"files": 0o755, "zfs.conf": 0o644, "run-me": 0o755}


def test_labels_tell_base_kernel_and_modules_and_nothing_of_the_machine(context):
    variant = plan().variants[1]
    labels = variant_labels(context.settings, variant)
    assert labels["org.opencontainers.image.base.digest"] == variant.base.digest
    assert labels["org.opencontainers.image.created"] == "1970-01-01T00:50:00Z"
    assert (labels["io.immutable-base.kernel"], labels["io.immutable-base.module.zfs"]) == (
        K2,
        "2.3.9",
    )
    assert labels["containers.bootc"] == "1"


def test_a_growing_log_is_passed_on_line_by_line_to_its_end(tmp_path):
    lines = []
    path = tmp_path / "log" / "x.log"
    with following(path, lines.append), path.open("ab") as file:
        file.write(b"one\ntw")
        file.flush()
        file.write(b"o\nlast\n")
    assert lines == ["one", "two", "last"]


def test_a_module_is_compiled_after_its_base_and_its_packages_are_there(nodes):
    base = f"base:{BASE.pinned}"
    for kernel in (K1, K2):
        assert set(nodes[f"module:centos-stream-10:zfs-2.3.9:{kernel}"].needs) == {"fetch", base}
    assert nodes["fetch"].needs == nodes[base].needs == ()


def test_a_layer_waits_for_the_module_that_it_installs(nodes):
    (zfs,) = (n for n in nodes.values() if n.title == f"layer zfs (centos-stream-10, kernel {K1})")
    assert f"module:centos-stream-10:zfs-2.3.9:{K1}" in zfs.needs
    assert "fetch" in zfs.needs


def test_labels_and_annotations_of_the_base_that_are_not_true_of_the_image_are_corrected(tmp_path):
    """`ostree.linux` named the base's kernel on images with another one; others read it."""
    world = BuildWorld(tmp_path, plan())
    world.labels = {"ostree.linux": "6.12.0", "vcs-ref": "c0ffee", "redhat.id": "centos"}
    world.annotations = {"x": "linux-6.12.0", "org.opencontainers.image.revision": "c0ffee"}
    world.run_all()
    config = next(
        it for it in world.commands if f"--label=io.immutable-base.kernel={K2}" in it.argv
    )
    labels, annotations = flags_of(config, "label"), flags_of(config, "annotation")
    assert f"ostree.linux={K2}" in labels
    assert "--label=vcs-ref-" in config.argv
    assert not [label for label in labels if label.startswith("redhat.id")]
    assert f"x=linux-{K2}" in annotations
    assert "--annotation=org.opencontainers.image.revision-" in config.argv
    assert any(it.startswith("org.opencontainers.image.base.digest=") for it in annotations)
