"""From a built image to its publication: each stage takes what the ones before have left."""

import contextlib
import json
import shutil
from types import SimpleNamespace

import pytest

from immutable_base.boot.gate import GateResult
from immutable_base.documents import name_of
from immutable_base.errors import CheckError, ConfigurationError, RemoteError, VerificationError
from immutable_base.image.oci import blob
from immutable_base.model.boot import Boot, BootReport, BootVerdict
from immutable_base.model.build import ImageBuild, ImageLayout
from immutable_base.model.check import CheckReport, Level
from immutable_base.model.facts import ImageFacts
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord
from immutable_base.process import Command
from immutable_base.run import stages as room
from immutable_base.run.stages import Stages, stage_nodes
from immutable_base.workspace import file_digest
from support.build_world import BuildWorld
from support.complete import write_sboms
from support.plans import plan
from support.sound_image import FACTS
from support.stage_documents import (
    FINE,
    leave_all,
    leave_boot,
    leave_check,
    leave_facts,
    leave_publication,
    leave_sbom,
    sbom_of,
)

BASE = plan().variants[0]


@pytest.fixture
def world(tmp_path):
    """Everything that the sample plan builds is built; `world.used` says which images stages use."""
    world = BuildWorld(tmp_path, plan())
    world.run_all()
    world.used = []
    world.images = [{"id": world.build.images["base"], "names": None}]
    return world


@pytest.fixture
def stages(world, monkeypatch):
    """Stages; what they ask of an image is answered with nothing."""

    @contextlib.contextmanager
    def mounted(_storage, image):
        world.used.append(image)
        yield "root"

    def inspect(_storage, image, variant, *, destination, rests_on):
        assert destination == world.context.settings.registry.destination
        world.used.append(image)
        found = {"image_id": image, "rests_on": rests_on, "variant": variant.name}
        return FACTS.model_copy(update=found)

    def publish(_verifier, request):
        world.published = request
        return leave_publication(world.context.documents, BASE)

    monkeypatch.setattr(room, "inspect_image", inspect)

    def make_sbom(_run, settings, _root, *, variant, facts, document):
        document.parent.mkdir(exist_ok=True)
        text = sbom_of(settings.repository_of(variant.name), facts.image_id)
        write_sboms(document, json.loads(text))

    monkeypatch.setattr(room, "make_sbom", make_sbom)
    monkeypatch.setattr(room.buildah, "mounted", mounted)
    monkeypatch.setattr(room, "publish_variant", publish)

    def gate(_run, _storage, request, image, _report):
        world.used.append(image())
        world.booted = request
        boot = Boot(accelerator="tcg", seconds=26.4, targets={}, console="c", answers=())
        return GateResult(verdict=BootVerdict.BOOTED, boots=(boot,))

    monkeypatch.setattr(room, "gate", gate)
    return Stages(context=world.context)


def test_nothing_is_published_that_was_not_read_checked_listed_and_exported(stages):
    nodes = {node.id: node for node in stage_nodes(stages, plan())}

    def all_needs(name):
        return {name}.union(
            *(all_needs(n) for n in nodes[name].needs if n in nodes), nodes[name].needs
        )

    assert all_needs("publish:base") == {
        "publish:base", "sbom:base", "boot:base", "export:base", "check:base", "inspect:base", "image:base",
    }  # fmt: skip


def test_only_variants_that_are_built_have_stages_and_each_is_its_own(stages):
    nodes = stage_nodes(stages, plan())
    assert {node.variants for node in nodes} == {
        ("base",), ("base-zfs",), ("base-zfs-again",), ("base-zfs-old",),
    }  # fmt: skip
    assert all(node.id.endswith(f":{node.variants[0]}") for node in nodes)
    assert {node.id for node in stage_nodes(stages, plan(), ("sign",))} == {
        f"sign:{variant.name}" for variant in plan().variants[:4]
    }


def test_one_image_is_read_listed_and_published_and_every_document_says_so(stages, world):
    documents, image = world.context.documents, world.build.images["base"]
    stages.inspect(BASE, print)
    with pytest.raises(CheckError):  # the sample facts are of another variant
        stages.check(BASE, print)
    assert documents.read(CheckReport, BASE).image_id == image
    leave_check(documents, BASE)
    assert stages.sbom(BASE, print).endswith(" KiB")
    assert stages.boot(BASE, print) == "booted in 26 s (tcg)"
    assert stages.publish(BASE, print) == "published"
    assert world.used == [image, image, image]
    assert documents.read(BootReport, BASE).digest == world.published.digest
    assert documents.read(ImageFacts, BASE).image_id == image
    record = documents.read(SbomRecord, BASE)
    assert (record.image_id, record.size) == (image, documents.sbom(BASE).stat().st_size)
    assert world.published.digest == documents.read(ImageLayout, BASE).digest
    assert world.published.rests_on == documents.rests_on(Publication, BASE)
    assert world.published.sbom == documents.sbom(BASE)
    assert world.published.provenance == documents.provenance(BASE)
    assert world.published.record.byproducts == {
        **documents.rests_on(Publication, BASE), "full-sbom": record.full_sha256,
    }  # fmt: skip


def test_a_check_that_objects_fails_with_where_all_findings_are(stages, world):
    stages.inspect(BASE, print)
    with pytest.raises(CheckError) as caught:
        stages.check(BASE, print)
    path = world.context.run_folder / "check/base.json"
    assert caught.value.hint == f"all findings: {path}"
    assert any(f["level"] == "error" for f in json.loads(path.read_text())["findings"])


def test_an_sbom_of_another_image_is_not_attested_though_its_record_fits_it(stages, world):
    """Somebody put another SBOM in its place, and its SHA-256 into the record."""
    documents = world.context.documents
    leave_all(documents, BASE)
    path, record = documents.sbom(BASE), documents.read(SbomRecord, BASE)
    ours = json.loads(path.read_text())["metadata"]["component"]["name"]
    twice = json.loads(sbom_of(ours, record.image_id))
    twice["metadata"]["component"]["properties"] *= 2
    wrong = (
        sbom_of(f"{ours}-zfs", record.image_id), sbom_of(ours, "0" * 64), json.dumps(twice),
        '{"components": []}', "[]", "null", '{"metadata": {"component": {"name": 1}}}',
        sbom_of(ours, record.image_id).replace('{"bomFormat"', '{"metadata": 1, "bomFormat"'),
    )  # fmt: skip
    for text in wrong:
        path.write_text(text)
        documents.write("sbom/base.json", record.model_copy(update={"sha256": file_digest(path)}))
        for stage in (stages.publish, stages.sign, stages.attest):
            with pytest.raises(VerificationError, match=r"base\.cdx\.json (is about|does not say)"):
                stage(BASE, print)
    assert not hasattr(world, "published")


def test_an_image_to_which_a_check_objects_is_not_published(stages, world):
    documents = world.context.documents
    leave_all(documents, BASE)
    wrong = FINE.model_copy(update={"level": Level.ERROR, "message": "two kernels"})
    leave_check(documents, BASE, FINE, wrong)
    leave_sbom(documents, BASE)
    for stage in (stages.publish, stages.sign, stages.attest):
        with pytest.raises(CheckError, match="not what its plan promised") as caught:
            stage(BASE, print)
        assert "two kernels" in caught.value.details
    assert not hasattr(world, "published")


@pytest.mark.parametrize("verdict", [BootVerdict.FAILED, BootVerdict.NOT_TESTED])
def test_an_image_that_was_not_seen_to_boot_is_not_published(stages, world, verdict):
    documents = world.context.documents
    leave_all(documents, BASE)
    leave_boot(documents, BASE, verdict, FINE)
    for stage in (stages.publish, stages.sign, stages.attest):
        with pytest.raises(CheckError, match=r"does not boot|was not booted"):
            stage(BASE, print)
    assert not hasattr(world, "published")


def test_what_is_booted_is_the_image_that_is_published(stages, world):
    documents = world.context.documents
    leave_facts(documents, BASE)
    stages.boot(BASE, print)
    assert world.booted.layout == documents.layout(BASE)
    assert world.booted.digest == documents.read(ImageLayout, BASE).digest
    assert world.booted.origin == f"{world.context.repository_of('base')}:latest"


@pytest.mark.parametrize("part", ["manifest", "config", "layer"])
def test_a_layout_that_was_changed_is_not_published(stages, world, part):
    documents = world.context.documents
    leave_all(documents, BASE)
    layout, digest = documents.layout(BASE), documents.read(ImageLayout, BASE).digest
    manifest = json.loads(blob(layout, digest).read_text())
    named = {
        "manifest": digest,
        "config": manifest["config"]["digest"],
        "layer": manifest["layers"][0]["digest"],
    }[part]
    blob(layout, named).write_bytes(b"another")
    with pytest.raises(VerificationError, match=named):
        stages.publish(BASE, print)
    assert not hasattr(world, "published")


def test_a_layout_of_another_variant_is_not_published(stages, world):
    documents = world.context.documents
    leave_all(documents, BASE)
    for path in (documents.folder / "oci/base-zfs").rglob("*"):
        if path.is_file():
            target = documents.layout(BASE) / path.relative_to(documents.folder / "oci/base-zfs")
            target.write_bytes(path.read_bytes())
    with pytest.raises(CheckError, match="build the image again"):
        stages.publish(BASE, print)


def test_an_sbom_of_other_bytes_is_not_published(stages, world):
    leave_all(world.context.documents, BASE)
    world.context.documents.sbom(BASE).write_text("{}")
    with pytest.raises(VerificationError, match=r"cdx\.json was changed"):
        stages.publish(BASE, print)


@pytest.mark.parametrize("stage", ["inspect", "check", "sbom", "boot", "sign", "attest", "publish"])
def test_a_stage_without_the_documents_that_it_needs_names_them(stages, world, stage):
    (world.context.run_folder / "build/base.json").unlink()
    with pytest.raises(ConfigurationError, match=r"there is no .*build/base\.json") as caught:
        getattr(stages, stage)(BASE, print)
    assert caught.value.hint.startswith("`immutable-base build --variant` makes it; or copy it")


def test_another_machine_reads_the_image_from_its_layout(stages, world, monkeypatch):
    """There the storage is empty: the layout must become the very image that was built."""
    image, world.images = world.build.images["base"], []
    pulled = []
    monkeypatch.setattr(
        room.buildah, "pull_layout", lambda _storage, folder: pulled.append(folder) or image
    )
    stages.inspect(BASE, print)
    assert pulled == [world.context.documents.layout(BASE)]
    assert world.used == [image]


def test_a_layout_that_becomes_another_image_is_refused(stages, world, monkeypatch):
    world.images = []
    monkeypatch.setattr(room.buildah, "pull_layout", lambda *_: "0" * 64)
    with pytest.raises(CheckError, match="became the image 0000"):
        stages.inspect(BASE, print)
    assert world.used == []


def test_a_layout_that_was_changed_is_not_even_read(stages, world, monkeypatch):
    world.images = []
    monkeypatch.setattr(room.buildah, "pull_layout", lambda *_: pytest.fail("was read"))
    documents = world.context.documents
    blob(documents.layout(BASE), documents.read(ImageLayout, BASE).digest).write_bytes(b"{}")
    with pytest.raises(VerificationError, match="was changed"):
        stages.inspect(BASE, print)


def test_a_name_in_the_storage_is_never_asked_for(stages, world):
    """It may mean another image by now."""
    world.commands.clear()
    stages.inspect(BASE, print)
    words = [word for command in world.commands for word in command.argv]
    assert [word for word in words if ":built" in word] == []


def test_what_was_read_of_an_image_that_was_built_again_is_refused(stages, world):
    documents = world.context.documents
    leave_facts(documents, BASE)
    build = documents.read(ImageBuild, BASE).model_copy(update={"seconds": 99.0})
    documents.write(name_of(ImageBuild, BASE), build)
    with pytest.raises(VerificationError, match=r"rests on another build/base\.json"):
        stages.sbom(BASE, print)


def test_the_request_says_where_the_image_goes(stages, world):
    leave_all(world.context.documents, BASE)
    stages.publish(BASE, print)
    request: SimpleNamespace = world.published
    assert request.repository == world.context.repository_of("base")
    assert (request.variant, request.layout.name) == ("base", "base")
    assert "latest" in request.tags


# ------------------------------------------------------------------ from another machine's registry


@pytest.fixture
def carried(world, stages):
    """A machine that has documents and no layout: its image is a candidate in a registry."""
    documents = world.context.documents
    layout = documents.read(ImageLayout, BASE)
    candidate = f"registry.example/candidates@{layout.digest}"
    world.run(skopeo_copy(f"oci:{documents.layout(BASE)}", f"docker://{candidate}"))
    documents.write(name_of(ImageLayout, BASE), layout.model_copy(update={"candidate": candidate}))
    leave_facts(documents, BASE)
    leave_check(documents, BASE)
    leave_sbom(documents, BASE)
    leave_boot(documents, BASE)
    shutil.rmtree(documents.layout(BASE))
    world.images = []
    return world


def skopeo_copy(source, target):
    return Command(argv=("skopeo", "copy", source, target), timeout=1)


def test_a_candidate_is_fetched_by_its_digest_where_the_layout_is_not(carried, stages):
    documents = carried.context.documents
    assert stages.publish(BASE, print) == "published"
    assert carried.published.layout == documents.layout(BASE)
    assert (documents.layout(BASE) / "index.json").is_file()
    assert [p.name for p in documents.layout(BASE).parent.iterdir() if p.name.startswith(".")] == []


def test_what_a_registry_gives_in_its_place_is_refused(carried, stages):
    documents = carried.context.documents
    (pinned, kept), *_ = carried.pushed.items()
    for path in (kept / "blobs/sha256").iterdir():
        path.write_bytes(path.read_bytes() + b" ")
    with pytest.raises(VerificationError):
        stages.publish(BASE, print)
    assert not hasattr(carried, "published")
    assert pinned.endswith(documents.read(ImageLayout, BASE).digest)


def test_a_candidate_that_has_gone_is_a_failure_of_the_registry_and_leaves_nothing(carried, stages):
    carried.pushed.clear()
    with pytest.raises(RemoteError, match="did not give"):
        stages.publish(BASE, print)
    folder = carried.context.documents.layout(BASE).parent
    assert not carried.context.documents.layout(BASE).exists()
    assert [path.name for path in folder.iterdir() if path.name.startswith(".")] == []


def test_a_candidate_is_not_fetched_where_its_layout_is_here(carried, stages):
    """As on the machine that built it; the registry may have forgotten it by then."""
    assert stages.publish(BASE, print) == "published"
    carried.commands.clear()
    carried.pushed.clear()
    assert stages.publish(BASE, print) == "published"
    assert carried.commands == []


def test_what_is_fetched_is_the_digest_that_was_built_whatever_the_candidate_names(
    carried, stages, monkeypatch
):
    documents, image = carried.context.documents, carried.build.images["base"]
    monkeypatch.setattr(room.buildah, "pull_layout", lambda *_: image)
    layout = documents.read(ImageLayout, BASE)
    other = f"registry.example/candidates@sha256:{'0' * 64}"
    carried.pushed[other] = next(iter(carried.pushed.values()))
    documents.write(name_of(ImageLayout, BASE), layout.model_copy(update={"candidate": other}))
    carried.commands.clear()
    stages.inspect(BASE, print)
    copied = [c.argv[-2] for c in carried.commands if c.argv[:2] == ("skopeo", "copy")]
    assert copied == [f"docker://registry.example/candidates@{layout.digest}"]
