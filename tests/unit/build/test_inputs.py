"""What each build step gets: the planned packages and nothing else, on the digest that was planned."""

import os
import re

import pytest

from immutable_base.errors import CheckError
from immutable_base.image.oci import only_manifest
from immutable_base.model.build import ImageBuild, ImageLayout
from support.build_world import BuildWorld, flags_of
from support.plans import BASE, K1, K2, plan

BASE_ONLY = plan().variants[0]


@pytest.fixture
def built(tmp_path):
    world = BuildWorld(tmp_path, plan())
    world.run_all()
    return world


def names(packages):
    return tuple(sorted(package.file_name for package in packages if package.repository != "local"))


def test_a_builder_has_exactly_the_planned_packages_to_install_from(built):
    for step in built.build.graph.modules:
        seen = built.seen[f"localhost/immutable-base/builder/zfs:{step.kernel}"]
        assert seen["packages"] == names(step.module.builder)
        assert seen["local"] == ()
        assert set(seen["request"]) | set(seen["request-noscripts"]) <= {
            package.nevra for package in step.module.builder
        }
        assert f"kernel-devel-{step.kernel}-1.el10.x86_64" in seen["request-noscripts"]


def test_a_layer_has_exactly_the_planned_packages_and_the_module_of_its_kernel(built):
    assert len(built.build.graph.layers) == 5
    for step in built.build.graph.layers:
        seen = built.seen[step.tag]
        assert seen["packages"] == names(step.layer.install)
        assert seen["local"] == tuple(
            package.file_name for package in step.layer.install if package.repository == "local"
        )
        assert (seen["request"], seen["erase"]) == (step.layer.request, step.layer.erase)


def test_every_step_is_built_without_network_cache_and_pull(built):
    assert len(built.builds) == 9
    for command in built.builds:
        assert command.argv[:3] == ("unshare", "--net", "--")
        assert {"--no-cache", "--layers=false", "--pull=never"} <= set(command.argv)


def test_no_step_reads_the_tag_of_a_base_image(built):
    """A tag may move while a run is under way; labels name it, and are only written."""
    read = [
        word
        for c in built.commands
        for word in c.argv
        if not word.startswith(("--label=", "--annotation="))
    ]
    repository = BASE.reference.rpartition(":")[0]
    named = [word for word in read if repository in word]
    assert {"docker://" + BASE.pinned, f"--build-arg=BASE_IMAGE={BASE.pinned}"} <= set(named)
    assert [word for word in named if BASE.pinned not in word] == []


def test_a_base_is_fetched_once(built):
    assert [c.argv[-1] for c in built.commands if "pull" in c.argv] == [f"docker://{BASE.pinned}"]


def test_layers_stand_on_the_planned_digest_and_on_each_other(built):
    below = {flags_of(c, "tag")[0]: flags_of(c, "build-arg") for c in built.builds}
    bases = {
        tag: next(a for a in args if a.startswith("BASE_IMAGE=")) for tag, args in below.items()
    }
    for step in built.build.graph.layers:
        tags = {s.id: s.tag for s in built.build.graph.layers}
        parent = built.image_of(tags[step.parent]) if step.parent else BASE.pinned
        assert bases[step.tag] == f"BASE_IMAGE={parent}"
    assert bases[f"localhost/immutable-base/builder/zfs:{K1}"] == f"BASE_IMAGE={BASE.pinned}"


def test_times_come_from_the_plan_in_every_command(built):
    epochs = {step.tag: step.layer.source_date_epoch for step in built.build.graph.layers}
    for command in built.builds:
        (tag,), (time,) = flags_of(command, "tag"), flags_of(command, "timestamp")
        assert int(time) == epochs.get(tag, 2_500)
        assert f"SOURCE_DATE_EPOCH={time}" in flags_of(command, "build-arg")
    commits = [c for c in built.commands if "commit" in c.argv]
    assert [flags_of(c, "timestamp") for c in commits] == [["2000"], ["3000"], ["3000"], ["3000"]]


def test_kernels_are_named_to_the_steps_that_depend_on_one(built):
    named = {
        flags_of(c, "tag")[0]: [a for a in flags_of(c, "build-arg") if a.startswith("KERNEL_RELEASE=")]
        for c in built.builds
    }  # fmt: skip
    for step in built.build.graph.layers:
        assert named[step.tag] == ([f"KERNEL_RELEASE={step.kernel}"] if step.kernel else [])
    assert named[f"localhost/immutable-base/builder/zfs:{K2}"] == [f"KERNEL_RELEASE={K2}"]


def test_the_builders_image_is_removed_and_no_finished_image_comes_from_it(built):
    removed = [c.argv[-1] for c in built.commands if "rmi" in c.argv]
    builders = [
        f"localhost/immutable-base/{name}/zfs:{kernel}"
        for name in ("builder", "packer")
        for kernel in (K2, K1)
    ]
    assert sorted(removed) == sorted(built.image_of(tag) for tag in builders)
    assert not [c for c in built.commands if "from" in c.argv and "/builder/" in c.argv[-1]]


def test_a_builder_that_makes_another_package_is_refused_by_what_it_made(tmp_path):
    world = BuildWorld(tmp_path, plan())
    world.wrong_package = "kmod-zfs-prebuilt-0-1.x86_64.rpm"
    (node,) = [n for n in world.nodes if n.id.startswith("module:") and n.id.endswith(K1)]
    with pytest.raises(CheckError, match=re.escape("the builder of zfs did not make")) as caught:
        node.action(lambda _line: None)
    assert world.wrong_package in caught.value.details
    assert world.build.packages == {}


def test_a_step_whose_package_could_not_be_fetched_fails_with_the_reason_and_builds_nothing(
    tmp_path,
):
    world = BuildWorld(tmp_path, plan())
    lost = next(p for p in world.build.graph.packages if p.name == "htop")
    world.build.store = type(world.build.store)(
        folder=world.build.store.folder,
        failures={lost.checksum: CheckError("the mirror has no htop")},
    )
    (node,) = [n for n in world.nodes if n.id.startswith("layer:centos-stream-10:base:")]
    with pytest.raises(CheckError, match="the mirror has no htop"):
        node.action(lambda _line: None)
    assert world.builds == []


@pytest.mark.parametrize(
    ("of_the_base", "left"),
    [((), {"resolv.conf"}), (("hosts",), {"hosts", "resolv.conf"})],
)
def test_empty_files_that_buildah_left_are_removed_and_those_of_the_base_stay(
    tmp_path, of_the_base, left
):
    """On a host they would be its configuration."""
    world = BuildWorld(tmp_path, plan())
    world.base_files = of_the_base
    world.run_all()
    committed = [c.argv[-2] for c in world.commands if "commit" in c.argv]
    assert len(committed) == 4
    for name in committed:
        etc = world.roots[name] / "etc"
        assert {path.name for path in etc.iterdir() if path.is_file()} == left


def test_dnf_reads_the_input_folder_alone(built):
    for conf in (built.context.run_folder / "mount").glob("*/dnf.conf"):
        text = conf.read_text()
        assert re.findall(r"^baseurl=(.*)$", text, re.MULTILINE) in (
            ["file:///run/build/input/packages/"],
            ["file:///run/build/input/packages/", "file:///run/build/input/local/"],
        )
        for line in ("reposdir=/run/build/dnf/repos", "plugins=0", "install_weak_deps=0"):
            assert f"\n{line}\n" in text


# ------------------------------------------------------------------ several bases


def changed(variant, **base):
    return variant.model_copy(update={"base": variant.base.model_copy(update=base)})


def of(tmp_path, *variants):
    """Build variants of the sample plan; nodes are known by their ids, and need nothing unknown."""
    world = BuildWorld(tmp_path, plan().model_copy(update={"variants": variants}))
    ids = [node.id for node in world.nodes]
    assert len(ids) == len(set(ids))
    assert {need for node in world.nodes for need in node.needs} <= set(ids)
    world.run_all()
    return {command.argv[-1] for command in world.commands if "pull" in command.argv}


def test_two_references_to_one_image_are_one_base(tmp_path):
    first, second = plan().variants[:2]
    other = changed(
        first.model_copy(update={"layers": second.layers[1:2]}),
        reference=BASE.reference.replace(":stream10", ":latest"),
    )
    for number, variants in enumerate([(other, second), (second, other)]):
        assert of(tmp_path / str(number), *variants) == {f"docker://{BASE.pinned}"}


def test_one_reference_that_names_two_images_is_two_bases(tmp_path):
    first, second = plan().variants[:2]
    moved = changed(first, digest="sha256:" + "b" * 64)
    assert of(tmp_path, moved, second) == {
        f"docker://{BASE.pinned}",
        f"docker://{moved.base.pinned}",
    }


# ------------------------------------------------------------------ what a builder is told


def with_module(**changes):
    variant = plan().variants[1]
    module = variant.modules[0].model_copy(update=changes)
    return variant.model_copy(update={"modules": (module,)})


def test_a_builder_is_told_the_epoch_version_and_release_of_the_promised_package(tmp_path):
    kmod = plan().variants[1].modules[0].kmod.model_copy(update={"epoch": 3})
    variant = with_module(kmod=kmod)
    world = BuildWorld(tmp_path, plan().model_copy(update={"variants": (variant,)}))
    world.run_all()
    compiler, packer = (
        set(flags_of(c, "build-arg")) for c in world.builds if "/run/output" in " ".join(c.argv)
    )
    common = {"KO=spl zfs", "SIGNATURE_HASH=", f"KERNEL_RELEASE={K2}", "SOURCE_DATE_EPOCH=2500"}
    assert compiler - common == {
        "MODULE=zfs", "MODULE_VERSION=2.3.9", f"BASE_IMAGE={BASE.pinned}"
    }  # fmt: skip
    builder = world.image_of(f"localhost/immutable-base/builder/zfs:{K2}")
    assert packer - common == {
        "KMOD_EPOCH=3", f"KMOD_VERSION={kmod.version}", f"KMOD_RELEASE={kmod.release}", f"KMOD_NAME={kmod.name}",
        "KMOD_PROVIDES=zfs-kmod", "SOURCE_PACKAGE=zfs-dkms", f"BASE_IMAGE={builder}",
    }  # fmt: skip
    assert common <= compiler & packer


def test_a_builder_erases_the_bases_kernel_where_the_plan_says_so(tmp_path):
    variant = with_module(builder_erase=("kernel", "kernel-core"))
    world = BuildWorld(tmp_path, plan().model_copy(update={"variants": (variant,)}))
    world.run_all()
    assert world.seen[f"localhost/immutable-base/builder/zfs:{K2}"]["erase"] == (
        "kernel",
        "kernel-core",
    )


@pytest.mark.parametrize("umask", [0o077, 0o000])
def test_what_a_step_sees_has_modes_that_no_umask_changes(tmp_path, umask):
    """They end up in the image: one machine would make another image than the next."""
    world = BuildWorld(tmp_path, plan())
    before = os.umask(umask)
    try:
        world.run_all()
    finally:
        os.umask(before)
    seen = [
        path
        for folder in ("mount", "context")
        for step in (world.context.run_folder / folder).iterdir()
        for path in (step, *step.rglob("*"))
    ]
    files = {p.stat().st_mode & 0o777 for p in seen if p.is_file() and p.suffix != ".rpm"}
    assert files == {0o644, 0o755}
    assert {path.stat().st_mode & 0o777 for path in seen if path.is_dir()} == {0o755}


# ------------------------------------------------------------------ what a build writes down


def test_an_images_document_has_its_layers_from_the_base_upwards(built):
    build = built.context.documents.read(ImageBuild, plan().variants[1])
    assert [layer.id.split(":")[2] for layer in build.layers] == ["base", "kernel", "zfs"]
    assert build.layers[0].variants == ("base", "base-zfs", "base-zfs-again", "base-zfs-old")
    assert build.image_id == built.image_of("localhost/immutable-base/base-zfs:built")


def test_a_layouts_document_has_the_digest_and_size_of_what_lies_there(built):
    documents = built.context.documents
    layout, folder = documents.read(ImageLayout, BASE_ONLY), documents.layout(BASE_ONLY)
    assert layout.digest == only_manifest(folder)
    parts = [p for p in (folder / "blobs/sha256").iterdir() if p.name not in layout.digest]
    assert layout.size == sum(path.stat().st_size for path in parts)
