"""From a built image to its publication: each stage takes what the one before has checked."""

import contextlib
from types import SimpleNamespace

import pytest

from immutable_base.errors import CheckError
from immutable_base.run import stages as room
from immutable_base.run.stages import VariantStages, stage_nodes
from support.build_world import BuildWorld
from support.plans import plan

IMAGE_ID = "f" * 64


@pytest.fixture
def stages(tmp_path):
    world = BuildWorld(tmp_path, plan())
    return VariantStages(context=world.context, plan=plan())


@pytest.fixture
def images(monkeypatch):
    """The images that stages use; what they ask of an image is answered with nothing."""
    used = []

    @contextlib.contextmanager
    def mounted(_storage, image):
        used.append(("mounted", image))
        yield "root"

    facts = SimpleNamespace(image_id=IMAGE_ID, packages=("one", "two"))
    monkeypatch.setattr(room, "inspect_image", lambda _storage, image, _variant: facts)
    monkeypatch.setattr(room, "require_sound", lambda *_, **__: ())
    monkeypatch.setattr(room, "make_sbom", lambda *_, **__: None)
    monkeypatch.setattr(room, "difference", lambda *_: None)
    monkeypatch.setattr(room, "layout_size", lambda *_: 7)
    monkeypatch.setattr(room.buildah, "mounted", mounted)
    monkeypatch.setattr(
        room.buildah, "write_layout", lambda _s, image, _f: used.append(("written", image)) or "d"
    )
    return used


def test_nothing_is_published_that_was_not_checked_listed_and_exported(stages):
    needs = {node.id: set(node.needs) for node in stage_nodes(stages)}
    assert needs["check:base"] == {"image:base"}
    assert needs["sbom:base"] == needs["export:base"] == {"check:base"}
    assert needs["publish:base"] == {"sbom:base", "export:base"}


def test_only_variants_that_are_built_have_stages_and_each_is_its_own(stages):
    nodes = stage_nodes(stages)
    assert {node.variants for node in nodes} == {
        ("base",), ("base-zfs",), ("base-zfs-again",), ("base-zfs-old",),
    }  # fmt: skip
    assert all(node.id.endswith(f":{node.variants[0]}") for node in nodes)


def test_a_check_that_objects_fails_the_stage_and_leaves_no_image_to_go_on_with(
    stages, images, monkeypatch
):
    def refuse(*_, **__):
        raise CheckError("two kernels")

    monkeypatch.setattr(room, "require_sound", refuse)
    variant = stages.plan.variants[0]
    with pytest.raises(CheckError, match="two kernels"):
        stages.check(variant, print)
    assert stages.results("base").packages == 0
    for stage in (stages.sbom, stages.export):
        with pytest.raises(KeyError):
            stage(variant, print)


def test_what_is_listed_and_exported_is_the_image_that_was_checked_by_its_id(stages, images):
    """Its name in the storage may mean another image by now."""
    variant = stages.plan.variants[0]
    stages.check(variant, print)
    stages.sbom(variant, print)
    stages.export(variant, print)
    assert images == [("mounted", IMAGE_ID), ("written", IMAGE_ID)]
    assert (stages.results("base").packages, stages.results("base").size) == (2, 7)
    assert stages.publications() == ()
