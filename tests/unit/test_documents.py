"""What one stage hands to the next: read only if everything that it rests on is still the same."""

import json
import re
import shutil

import pytest

from immutable_base.documents import FOLDERS, Documents, foundations, module_name, name_of
from immutable_base.errors import ConfigurationError, VerificationError
from immutable_base.model.boot import BootReport
from immutable_base.model.build import ImageBuild, ImageLayout, ModuleBuild
from immutable_base.model.check import CheckReport
from immutable_base.model.facts import ImageFacts
from immutable_base.model.plan import Plan
from immutable_base.model.publish import Publication
from immutable_base.model.sbom import SbomRecord, full_sbom_path
from support.build_world import BuildWorld
from support.paths import ROOT
from support.plans import plan
from support.stage_documents import leave_all

ZFS = plan().variants[1]
STEP, KMOD = ZFS.module_id(ZFS.modules[0]), ZFS.modules[0].kmod.file_name
MODULE = module_name(STEP)
CHAIN = ("plan.json", MODULE, *(f"{folder}/base-zfs.json" for folder in FOLDERS.values()))
"""Every document below a publication of `base-zfs`, and the publication."""


@pytest.fixture(scope="module")
def whole_run(tmp_path_factory):
    world = BuildWorld(tmp_path_factory.mktemp("run"), plan())
    world.run_all()
    leave_all(world.context.documents, ZFS)
    return world.context.run_folder


@pytest.fixture
def documents(whole_run, tmp_path) -> Documents:
    """The documents of a whole run of `base-zfs`."""
    parts = shutil.ignore_patterns("mount", "context", "packages", "log")
    return Documents(shutil.copytree(whole_run, tmp_path / "run", ignore=parts))


def edit(path, **changes):
    """Change a document by hand, as an editor would: it stays valid."""
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_a_whole_run_can_be_read_from_its_end_to_its_beginning(documents):
    publication = documents.read(Publication, ZFS)
    assert publication.digest == documents.read(ImageLayout, ZFS).digest
    image = documents.read(ImageBuild, ZFS).image_id
    for kind in (ImageFacts, CheckReport, SbomRecord):
        assert documents.read(kind, ZFS).image_id == image
    assert documents.package(STEP, KMOD).read_text() == "kmod"
    assert documents.attested(ZFS).name == "base-zfs.cdx.json"
    assert documents.variant("base-zfs") == ZFS


def test_each_document_names_everything_that_it_was_made_from():
    assert foundations(ImageBuild, ZFS) == ("plan.json", MODULE)
    assert foundations(ImageBuild, plan().variants[0]) == ("plan.json",)
    below = {kind: set(foundations(kind, ZFS)) for kind in FOLDERS}
    assert below[ImageLayout] == below[ImageFacts] == {"plan.json", "build/base-zfs.json"}
    assert below[CheckReport] == below[SbomRecord] == {"plan.json", "inspect/base-zfs.json"}
    assert below[Publication] == {
        "plan.json", "oci/base-zfs.json", "check/base-zfs.json", "sbom/base-zfs.json",
        "boot/base-zfs.json",
    }  # fmt: skip


@pytest.mark.parametrize("name", CHAIN[:-1])
def test_whatever_is_changed_below_a_publication_is_named(documents, name):
    """One space is enough: what is compared is bytes."""
    path = documents.folder / name
    path.write_text(path.read_text() + " ")
    with pytest.raises(VerificationError, match=re.escape(f"rests on another {name}")) as caught:
        documents.read(Publication, ZFS)
    assert caught.value.hint.startswith("was it changed, or is it of another run?")


@pytest.mark.parametrize("name", CHAIN)
def test_what_is_missing_is_named_with_the_command_that_makes_it(documents, name):
    (documents.folder / name).unlink()
    commands = {
        "plan.json": "plan --save", "modules": "build --module", "build": "build --variant", "oci": "build --variant",
        "inspect": "inspect", "check": "check", "sbom": "sbom", "boot": "boot", "publish": "publish",
    }  # fmt: skip
    with pytest.raises(ConfigurationError) as caught:
        documents.read(Publication, ZFS)
    assert caught.value.message == f"there is no {documents.folder / name}"
    assert (
        caught.value.hint
        == f"`immutable-base {commands[name.partition('/')[0]]}` makes it; or copy it from the machine that made it"
    )


@pytest.mark.parametrize("name", CHAIN)
@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"schema_version": 1}', "\xff"])
def test_what_is_no_whole_document_is_refused_by_name(documents, name, text):
    (documents.folder / name).write_bytes(text.encode("latin-1"))
    with pytest.raises((ConfigurationError, VerificationError)) as caught:
        documents.read(Publication, ZFS)
    assert name in caught.value.message


@pytest.mark.parametrize("name", CHAIN)
def test_a_document_of_a_newer_release_is_told_apart_from_a_broken_one(documents, name):
    path = documents.folder / name
    edit(path, schema_version=2, what_is_new=1)
    with pytest.raises(ConfigurationError, match="was written by a newer release"):
        documents.parse(type(documents.plan()) if name == "plan.json" else ImageBuild, name)


@pytest.mark.parametrize("kind", [k for k in FOLDERS if k is not Publication])
def test_a_document_that_rests_on_less_or_on_nothing_is_refused(documents, kind):
    """Who edits a document may leave out what it rests on."""
    path = documents.folder / name_of(kind, ZFS)
    whole = json.loads(path.read_text())["rests_on"]
    for left in ({}, {"plan.json": whole["plan.json"]} if len(whole) > 1 else {}):
        edit(path, rests_on=left)
        with pytest.raises(VerificationError, match="rests on another") as caught:
            documents.read(kind, ZFS)
        assert ": it does not name this one" in caught.value.details
    edit(path, rests_on={**whole, "another.json": "0" * 64})
    with pytest.raises(VerificationError, match=r"rests on another another\.json") as caught:
        documents.read(kind, ZFS)
    assert caught.value.details == "another.json: it names this one, on which it cannot rest"


@pytest.mark.parametrize("kind", [ImageFacts, CheckReport, SbomRecord])
def test_a_document_about_another_image_is_refused(documents, kind):
    edit(documents.folder / name_of(kind, ZFS), image_id="0" * 64)
    with pytest.raises(VerificationError, match=r"is about the image 0+, but \w+ was built"):
        documents.read(kind, ZFS)


@pytest.mark.parametrize("kind", FOLDERS)
def test_a_document_of_another_variant_is_refused(documents, kind):
    edit(documents.folder / name_of(kind, ZFS), variant="base")
    with pytest.raises(VerificationError, match="is about 'base', not 'base-zfs'"):
        documents.read(kind, ZFS)


def test_a_kmod_package_that_was_changed_is_refused_by_name(documents):
    path = documents.package(STEP, KMOD)
    path.write_text("another")
    with pytest.raises(VerificationError, match=re.escape(f"{path} was changed since it was made")):
        documents.package(STEP, KMOD)


def test_a_kmod_package_of_another_kernel_is_refused_though_its_document_fits_the_plan(documents):
    """Somebody copied the folder of another step."""
    old = plan().variants[3]
    other = old.module_id(old.modules[0])
    for name in ("build.json", old.modules[0].kmod.file_name):
        source = (documents.folder / module_name(other)).with_name(name)
        (documents.folder / MODULE).with_name(name).write_bytes(source.read_bytes())
    with pytest.raises(VerificationError, match=r"is about kmod-zfs-prebuilt-.*, not kmod-zfs"):
        documents.package(STEP, KMOD)


def test_a_document_that_promises_another_package_is_refused(documents):
    edit(documents.folder / MODULE, package="kmod-zfs-prebuilt-0-1.x86_64.rpm")
    with pytest.raises(
        VerificationError, match=r"is about kmod-zfs-prebuilt-0-1\.x86_64\.rpm, not"
    ):
        documents.module(STEP, KMOD)


def test_a_kmod_package_of_another_plan_is_refused(documents):
    edit(documents.folder / "plan.json", repositories=[])
    (documents.folder / "plan.json").write_text((documents.folder / "plan.json").read_text() + "\n")
    with pytest.raises(VerificationError, match=r"rests on another plan\.json"):
        documents.package(STEP, KMOD)


@pytest.mark.parametrize("place", [lambda path: path, full_sbom_path], ids=["attested", "full"])
def test_an_sbom_that_was_changed_is_refused_by_name(documents, place):
    path = place(documents.sbom(ZFS))
    path.write_text("{}")
    with pytest.raises(VerificationError, match=f"{re.escape(path.name)} was changed since"):
        documents.attested(ZFS)


def test_a_variant_that_is_not_planned_is_named_with_those_that_are(documents):
    with pytest.raises(ConfigurationError, match="plans nothing for 'base-zsf'") as caught:
        documents.variant("base-zsf")
    assert "base-zfs-old" in caught.value.hint


def with_field(path, *keys, value):
    """Write another value into a field, however deep."""
    document = json.loads(path.read_text())
    *above, last = keys
    inner = document
    for key in above:
        inner = inner[key]
    inner[last] = value
    path.write_text(json.dumps(document))


def refused(documents, kind, name):
    with pytest.raises(ConfigurationError, match="is not a whole, valid document") as caught:
        documents.parse(kind, name)
    assert name in caught.value.message
    return caught.value.details


KINDS = {"plan.json": Plan, MODULE: ModuleBuild} | {name_of(kind, ZFS): kind for kind in FOLDERS}


@pytest.mark.parametrize("name", CHAIN)
def test_a_document_with_a_key_twice_is_refused(documents, name):
    """The last of two wins here, the first of two elsewhere."""
    path = documents.folder / name
    text = path.read_text()
    path.write_text(text.replace("{", '{"schema_version": 1,', 1))
    assert "a key stands twice" in refused(documents, KINDS[name], name)


@pytest.mark.parametrize("name", CHAIN)
@pytest.mark.parametrize("version", [True, 1.0, "1", None, 0, -1])
def test_a_schema_version_is_the_number_one(documents, name, version):
    with_field(documents.folder / name, "schema_version", value=version)
    assert "schema_version" in refused(documents, KINDS[name], name)


@pytest.mark.parametrize("name", CHAIN)
def test_a_document_without_a_schema_version_is_refused(documents, name):
    path = documents.folder / name
    document = json.loads(path.read_text())
    del document["schema_version"]
    path.write_text(json.dumps(document))
    assert "schema_version" in refused(documents, KINDS[name], name)


@pytest.mark.parametrize(
    ("kind", "keys", "value"),
    [
        (ModuleBuild, ["kernel"], ""),
        (ModuleBuild, ["kernel"], "  "),
        (ModuleBuild, ["sha256"], ""),
        (ModuleBuild, ["sha256"], "A" * 64),
        (ModuleBuild, ["package"], "../../etc/passwd"),
        (ModuleBuild, ["package"], ""),
        (ModuleBuild, ["seconds"], "1"),
        (ImageBuild, ["image_id"], "sha256:" + "a" * 64),
        (ImageBuild, ["layers", 0, "image_id"], ""),
        (ImageLayout, ["digest"], "x"),
        (ImageLayout, ["digest"], "a" * 64),
        (ImageLayout, ["size"], -1),
        (ImageLayout, ["size"], True),
        (ImageLayout, ["size"], "1"),
        (ImageLayout, ["rests_on", "plan.json"], "x"),
        (ImageFacts, ["image_id"], ""),
        (CheckReport, ["image_id"], ""),
        (CheckReport, ["findings", 0, "level"], "fine"),
        (SbomRecord, ["sha256"], ""),
        (SbomRecord, ["packages"], -1),
        (SbomRecord, ["packages"], 1.0),
        (Publication, ["digest"], "x"),
        (Publication, ["sbom_sha256"], ""),
        (Publication, ["rekor_log_index"], -1),
        (Plan, ["variants", 1, "layers", 0, "install", 0, "sha256"], "x"),
        (Plan, ["variants", 1, "layers", 0, "install", 0, "size"], -1),
        (Plan, ["variants", 1, "base", "digest"], "x"),
        (Plan, ["variants", 1, "exit_code"], -1),
        (Plan, ["variants", 1, "name"], ""),
    ],
)  # fmt: skip
def test_a_value_that_no_stage_writes_is_refused(documents, kind, keys, value):
    name = next(name for name, other in KINDS.items() if other is kind)
    with_field(documents.folder / name, *keys, value=value)
    assert str(keys[-1]) in refused(documents, kind, name)


def test_the_page_on_stages_names_everything_that_must_travel():
    """Everything that a command's documents rest on, however far below."""

    def below(kind):
        near = [other for other in FOLDERS if name_of(other, ZFS) in foundations(kind, ZFS)]
        return set(foundations(kind, ZFS)).union(*(below(other) for other in near))

    page = (ROOT / "docs/reference/stages.md").read_text()
    rows = dict(
        re.findall(
            r"^\| (.*?) \| (`plan\.json`.*?) \|$",
            page.partition("several machines")[2],
            re.MULTILINE,
        )
    )
    for command, kind in (
        ("`inspect`", ImageFacts), ("`check`", CheckReport), ("`sbom`", SbomRecord),
        ("`boot`", BootReport),
        ("`sign`, `attest`, `publish`", Publication),
    ):  # fmt: skip
        parts = {
            "modules/*/build.json" if n == MODULE else n.replace("base-zfs.json", "")
            for n in below(kind)
        }
        assert parts <= set(re.findall("`(?:tonight/)?(.*?)`", rows[command])), command
