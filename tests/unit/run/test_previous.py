"""Two runs of the same plan that end in different images: said, with the files."""

import gzip
import hashlib
import io
import json
import tarfile

import pytest

from immutable_base.config.load import load_settings
from immutable_base.context import Context
from immutable_base.documents import PLAN, name_of
from immutable_base.errors import ImmutableBaseError
from immutable_base.model.build import ImageBuild
from immutable_base.model.plan import BasePlan, KernelPlan, Plan, VariantPlan
from immutable_base.run.previous import difference, set_aside
from support.paths import ROOT

VARIANT = VariantPlan(
    name="base", stream="s", verdict="build",
    base=BasePlan(reference="r/x/y:z", digest="sha256:" + "0" * 64, created=0),
    kernel=KernelPlan(
        image="6.12.105", image_evr="6.12.105-1", chosen=None, chosen_evr=None, action=None,
        source=None, ceiling=None, rejected=(),
    ),
    modules=(), layers=(), packages=(), reasons=(),
)  # fmt: skip


@pytest.fixture
def context(tmp_path):
    settings = load_settings(ROOT / "immutable-base.toml")
    return Context(settings=settings, config_path=ROOT / "immutable-base.toml", layers_folder=ROOT / "layers",
                   workspace=tmp_path, run=lambda _command: None)  # fmt: skip


def blob(layout, data):
    digest = hashlib.sha256(data).hexdigest()
    (layout / "blobs/sha256" / digest).write_bytes(data)
    return {"digest": f"sha256:{digest}", "size": len(data)}


def write_layout(layout, files):
    (layout / "blobs/sha256").mkdir(parents=True)
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    layer = blob(
        layout, gzip.compress(archive.getvalue(), mtime=0)
    )  # by content, not by the second
    config = blob(layout, b'{"config": {"Labels": {}}}')
    manifest = blob(layout, json.dumps({"config": config, "layers": [layer]}).encode())
    (layout / "index.json").write_text(json.dumps({"manifests": [manifest]}))


def run_of(context, files, plan=VARIANT, made_of="1"):
    """Do what a night does around an image: set the last one aside, write plan and image, compare."""
    set_aside(context)
    layout = context.run_folder / "oci/base"
    write_layout(layout, files)
    document = Plan(repositories=(), keys=(), variants=(plan,))
    documents = context.documents
    documents.write(PLAN, document)
    built = ImageBuild(rests_on=documents.rests_on(ImageBuild, plan), variant="base", image_id="a" * 64,
                       layers=(), made_of=made_of * 64, buildah="1.28.2", seconds=1.0)  # fmt: skip
    documents.write(name_of(ImageBuild, plan), built)
    return difference(context, plan)


def test_the_first_run_and_an_equal_one_have_nothing_to_say(context):
    assert run_of(context, {"usr/bin/x": b"1"}) is None
    assert run_of(context, {"usr/bin/x": b"1"}) is None


def test_what_differs_is_named_by_layer_and_file(context):
    run_of(context, {"usr/bin/x": b"1", "usr/bin/y": b"1"})
    document = run_of(context, {"usr/bin/x": b"2", "usr/bin/y": b"1", "usr/bin/z": b""})
    assert document.read_text().splitlines() == [
        "layer 0: usr/bin/x: content",
        "layer 0: usr/bin/z: only in one of them",
    ]
    assert not (context.workspace / "before/oci/base").exists(), "images are large: not kept"


def test_another_plan_may_differ_and_a_killed_run_is_no_measure(context):
    run_of(context, {"usr/bin/x": b"1"})
    other = VARIANT.model_copy(update={"reasons": ("another kernel",)})
    assert run_of(context, {"usr/bin/x": b"2"}, plan=other) is None
    (context.run_folder / "oci/base/index.json").unlink()
    assert run_of(context, {"usr/bin/x": b"3"}, plan=other) is None
    (context.run_folder / "plan.json").write_text("{")
    assert run_of(context, {"usr/bin/x": b"4"}, plan=other) is None


def test_a_label_or_a_file_of_a_layer_may_be_changed_and_then_be_the_same_again(context):
    run_of(context, {"usr/bin/x": b"1"})
    assert run_of(context, {"usr/bin/x": b"2"}, made_of="2") is None
    assert run_of(context, {"usr/bin/x": b"3"}, made_of="2") is not None
    (context.run_folder / "build/base.json").write_text("{")
    assert run_of(context, {"usr/bin/x": b"4"}, made_of="2") is None


def test_a_plan_that_is_not_utf8_is_no_measure(context):
    run_of(context, {"usr/bin/x": b"1"})
    (context.run_folder / "plan.json").write_bytes(b'{"schema_version": 1, "\xe9": 1}')
    assert run_of(context, {"usr/bin/x": b"2"}) is None


def test_only_the_last_run_is_set_aside_and_only_as_far_as_it_came(context):
    run_of(context, {"usr/bin/x": b"1"})
    before = context.workspace / "before"
    (context.run_folder / "sbom").mkdir()
    set_aside(context)
    assert sorted(path.name for path in before.iterdir()) == ["build", "oci", "plan.json"]
    assert not (context.run_folder / "oci").exists()
    (before / "of-an-older-run").touch()
    set_aside(context)  # of a run that was killed before it had a plan
    assert not before.exists()


def test_the_last_image_is_gone_after_it_was_compared_whatever_came_out(context):
    earlier = context.workspace / "before/oci/base"
    run_of(context, {"usr/bin/x": b"1"})
    run_of(context, {"usr/bin/x": b"1"})
    assert not earlier.exists()
    set_aside(context)
    assert earlier.is_dir()
    (earlier / "index.json").write_text("no JSON")
    write_layout(context.run_folder / "oci/base", {"usr/bin/x": b"1"})
    with pytest.raises((ValueError, ImmutableBaseError)):
        difference(context, VARIANT)
    assert not earlier.exists()
