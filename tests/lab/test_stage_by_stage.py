"""A run in separate commands, on the tiny stream and on the large ones.

On the tiny stream the module is compiled again by its own command, images are read on a machine that
did not build them, and everything is tampered with on its way; the large one gets its kmod packages
from the shared run, unless $IMMUTABLE_BASE_WALK_COMPILES is set, as in `make soak`.
"""

import json
import os
from dataclasses import replace

import pytest

from support.changed_configuration import NO_BOOTS
from support.variants import VARIANTS
from support.walk import DOCUMENTS, Machine, Walk

TAMPERED, WITH_MODULE = "tiny", "tiny-metronome"
MODULE = "metronome"


@pytest.fixture(scope="module")
def tiny_walk(tiny_lab, tiny_night):
    return Walk(
        tiny_lab.room("tiny-machines"), tiny_lab, tiny_night, [TAMPERED, WITH_MODULE],
        signed_alone=TAMPERED, compiled=(MODULE, WITH_MODULE), reads_elsewhere=True,
    )  # fmt: skip


@pytest.fixture(scope="module")
def large_walk(large_lab, night, tmp_path_factory):
    """Whether the run has booted its images or not: nothing is booted on the way."""
    without_boots = large_lab
    if NO_BOOTS[0] in large_lab.configuration.read_text():
        configuration = large_lab.config_with(tmp_path_factory.mktemp("no-boots"), NO_BOOTS)
        env = {**large_lab.env, "IMMUTABLE_BASE_CONFIG": str(configuration)}
        without_boots = replace(large_lab, env=env, configuration=configuration)
    compiled = ("zfs", "base-zfs") if "IMMUTABLE_BASE_WALK_COMPILES" in os.environ else None
    return Walk(
        large_lab.room("machines"),
        without_boots,
        night,
        VARIANTS,
        signed_alone="fedora-base",
        compiled=compiled,
    )


@pytest.fixture(
    scope="module", params=["tiny_walk", pytest.param("large_walk", marks=pytest.mark.large)]
)
def walk(request) -> Walk:
    return request.getfixturevalue(request.param)


def test_the_same_inputs_give_the_same_plan_on_another_machine(walk):
    alone, together = ((f / "plan.json").read_bytes() for f in (walk.planner.folder, walk.run))
    assert alone == together


def test_a_module_that_is_compiled_by_itself_is_the_runs(tiny_walk):
    compiler = tiny_walk.compiler
    (document,) = (compiler.folder / "modules").glob("*/build.json")
    name = document.relative_to(compiler.folder)
    alone, together = (json.loads((f / name).read_text()) for f in (compiler.folder, tiny_walk.run))
    assert alone["files"] == together["files"]
    assert alone["sha256"] == together["sha256"], "the package, not only the modules in it"
    assert not (compiler.folder / "build").exists(), "nothing else was built"


def test_the_whole_way_in_separate_commands_ends_in_the_digests_of_the_run(walk):
    found = {
        name: json.loads((walk.publisher.folder / "publish" / f"{name}.json").read_text())
        for name in walk.variants
    }
    pinned = {n: f"{p['repository']}@{p['digest']}" for n, p in found.items()}
    assert pinned == {name: walk.night.variants[name]["reference"] for name in walk.variants}
    assert {p["status"] for p in found.values()} == {"unchanged"}, "signed and tagged by the run"


def test_the_report_of_the_last_machine_has_every_verdict(walk):
    report = walk.publisher.does("report")
    rows = {variant["name"]: variant for variant in report["variants"]}
    assert {n: r["outcome"] for n, r in rows.items()} == dict.fromkeys(walk.variants, "published")
    for name, row in rows.items():
        expected = walk.night.variants[name]
        for key in ("reference", "packages", "size", "kernel", "tags"):
            assert row[key] == expected[key], (name, key)


# ------------------------------------------------------------------ what was changed on its way


@pytest.fixture
def thief(tiny_walk):
    """A machine that has everything, on which a test changes one thing."""
    found = tiny_walk.machine("changed")
    found.carry(tiny_walk.publisher.folder, *DOCUMENTS)
    return found


def refused(machine: Machine, stage: str, words: list[str], *, code: int = 12) -> None:
    (result,) = machine.does(stage, "--variant", TAMPERED, code=code)["results"]
    assert result["outcome"] == "failed"
    assert [word for word in words if word not in result["error"]] == [], result["error"]
    assert not (machine.folder / "publish").exists()


@pytest.mark.parametrize(
    ("name", "stage"),
    [
        ("plan.json", "inspect"), (f"build/{TAMPERED}.json", "inspect"), (f"oci/{TAMPERED}.json", "publish"),
        (f"inspect/{TAMPERED}.json", "check"), (f"check/{TAMPERED}.json", "publish"), (f"sbom/{TAMPERED}.json", "publish"),
        (f"boot/{TAMPERED}.json", "publish"),
    ],
)  # fmt: skip
def test_a_document_that_was_changed_is_refused_by_its_name(thief, name, stage):
    path = thief.folder / name
    text = path.read_text().replace('"schema_version": 1', '"schema_version":  1')
    assert text != path.read_text()
    thief.replace(name, text.encode())
    if name.startswith("plan"):
        refused(thief, stage, ["build", "rests on another plan.json"])
    elif name.startswith(("inspect", "oci")):
        refused(thief, "publish", [f"rests on another {name.partition('/')[0]}"])
    elif name.startswith("build"):
        refused(thief, "publish", ["rests on another build"])
    else:
        # Nothing above it yet: the change has to be one that says something else.
        document = json.loads(text)
        key = {"boot": "digest", "check": "image_id", "sbom": "sha256"}[name.partition("/")[0]]
        document[key] = "sha256:" + "0" * 64 if key == "digest" else "0" * 64
        thief.replace(name, json.dumps(document).encode())
        refused(thief, stage, ["0" * 64])


def test_a_layout_with_a_changed_or_missing_blob_is_refused_by_its_digest(thief):
    document = json.loads((thief.folder / f"oci/{TAMPERED}.json").read_text())
    blobs = f"oci/{TAMPERED}/blobs/sha256"
    manifest = json.loads((thief.folder / blobs / document["digest"][7:]).read_text())
    layer = manifest["layers"][-1]["digest"][7:]
    path = thief.folder / blobs / layer
    thief.replace(f"{blobs}/{layer}", path.read_bytes()[:-1] + b"x")
    refused(thief, "publish", [layer, "was changed"])
    path.unlink()
    refused(thief, "publish", [layer, "lacks the blob"])


def test_an_sbom_that_was_changed_is_refused_by_its_name(thief):
    name = f"sbom/{TAMPERED}.cdx.json"
    thief.replace(name, (thief.folder / name).read_bytes().replace(b"bash", b"hsab", 1))
    refused(thief, "publish", [f"{TAMPERED}.cdx.json was changed"])


def test_a_full_sbom_that_was_changed_is_refused_by_its_name(thief):
    name = f"sbom/{TAMPERED}.full.cdx.json"
    thief.replace(name, (thief.folder / name).read_bytes().replace(b"bash", b"hsab", 1))
    refused(thief, "publish", [f"{TAMPERED}.full.cdx.json was changed"])


def test_the_provenance_that_is_attested_says_what_the_plan_and_the_build_say(tiny_walk):
    """Of both: what `attest` has stated by its own command, and what the run has."""
    folder = tiny_walk.publisher.folder
    plan = json.loads((folder / "plan.json").read_text())
    for variant in (it for it in plan["variants"] if it["name"] in (TAMPERED, WITH_MODULE)):
        stated = json.loads((folder / f"publish/{variant['name']}.provenance.json").read_text())
        found = {
            it["name"]: it.get("digest") for it in stated["buildDefinition"]["resolvedDependencies"]
        }
        assert found["base"] == {"sha256": variant["base"]["digest"][7:]}
        sums = {it["repomd_sha256"] for it in plan["repositories"]}
        read = {it["sha256"] for n, it in found.items() if n.startswith("repository:")}
        assert read
        assert read <= sums
        for module in variant["modules"]:
            (document,) = (folder / "modules").glob("*/build.json")
            built = json.loads(document.read_text())
            (kmod,) = (it for n, it in found.items() if n.startswith("kmod:"))
            (source,) = (it for n, it in found.items() if n.startswith("source:"))
            assert kmod == {"sha256": built["sha256"]}
            checksum = module["source"]["checksum"]
            assert source == {checksum["algorithm"]: checksum["hex"]}


def test_a_kmod_package_that_was_changed_or_is_of_another_build_is_refused(tiny_walk):
    found = tiny_walk.machine("changed-package")
    found.carry(tiny_walk.builder.folder, "plan.json", "modules")
    (folder,) = (found.folder / "modules").iterdir()
    name = f"modules/{folder.name}/build.json"
    record = json.loads((found.folder / name).read_text())
    package = f"modules/{folder.name}/{record['package']}"
    whole = (found.folder / package).read_bytes()
    found.replace(package, whole[:-1] + bytes([whole[-1] ^ 1]))
    assert f"{record['package']} was changed since it was made" in not_built(found)
    found.replace(package, whole)
    found.replace(name, json.dumps({**record, "package": f"other-{record['package']}"}).encode())
    assert f"not {record['package']}" in not_built(found)


def not_built(machine: Machine) -> str:
    report = machine.does("build", "--variant", WITH_MODULE, code=12)
    return next(result["error"] for result in report["results"] if result["error"])


def test_a_stage_on_a_machine_that_lacks_the_documents_names_them_and_their_command(tiny_walk):
    found = tiny_walk.machine("empty")
    assert "`immutable-base plan --save` makes it" in found.does("build", code=2)["error"]
    found.carry(tiny_walk.planner.folder, "plan.json")
    (result,) = found.does("check", "--variant", TAMPERED, code=2)["results"]
    assert f"build/{TAMPERED}.json" in result["error"]
    assert "`immutable-base build --variant` makes it" in result["error"]
