"""A run in separate commands, each in a workspace of its own, as separate machines would make it.

What travels between them is documents, kmod packages and OCI layouts, and nothing else. The kmod
packages of the shared night travel too, but one module is compiled again by its own command.
"""

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

import pytest

from immutable_base.documents import step_name
from support.variants import VARIANTS

COMPILED = "zfs"
"""The module that is compiled again, for one kernel."""
TAMPERED = "fedora-base"
DOCUMENTS = ("plan.json", "modules", "build", "oci", "inspect", "check", "sbom")


@dataclass
class Machine:
    """A workspace of its own; it has what was carried there, and an empty storage."""

    lab: object
    workspace: Path

    @property
    def folder(self) -> Path:
        return self.workspace / "tonight"

    def carry(self, other: Path, *names: str) -> None:
        """Copy documents, packages or layouts from another machine's folder; links save space."""
        for name in names:
            source, target = other / name, self.folder / name
            target.parent.mkdir(parents=True, exist_ok=True)
            if source.is_dir():
                shutil.copytree(source, target, copy_function=os.link, dirs_exist_ok=True)
            else:
                shutil.copy(source, target)

    def replace(self, name: str, content: bytes) -> None:
        """Change a file of this machine alone, though it may be a link to another's."""
        (self.folder / name).unlink()
        (self.folder / name).write_bytes(content)

    def does(self, stage: str, *words: str, code: int = 0) -> dict:
        """Run one command and return its report."""
        done = self.lab.product(stage, "--format", "json", *words, workspace=self.workspace)
        assert done.returncode == code, done.stderr[-3000:] + done.stdout[-3000:]
        assert "Traceback" not in done.stderr
        return json.loads(done.stdout) if done.stdout else {"error": done.stderr}


@pytest.fixture(scope="module")
def machine(lab):
    """Make machines, and remove what was on them at the end."""
    made = []

    def new(name: str) -> Machine:
        made.append(lab.scratch / "machines" / name)
        shutil.rmtree(made[-1], ignore_errors=True)
        return Machine(lab=lab, workspace=made[-1])

    yield new
    for workspace in made:
        shutil.rmtree(workspace, ignore_errors=True)


def shared(night) -> Path:
    return night.workspace / "tonight"


@pytest.fixture(scope="module")
def planner(machine, night):
    found = machine("plan")
    found.does("plan", "--save")
    return found


@pytest.fixture(scope="module")
def compiler(machine, planner):
    """Compiles one module, by its own command."""
    found = machine("modules")
    found.carry(planner.folder, "plan.json")
    found.does("build", "--module", COMPILED, "--kernel", kernel_of(planner))
    return found


def kernel_of(planner) -> str:
    document = json.loads((planner.folder / "plan.json").read_text())
    return next(v["kernel"]["chosen"] for v in document["variants"] if v["name"] == "base-zfs")


@pytest.fixture(scope="module")
def builder(machine, planner, compiler, night):
    """Makes every image, from kmod packages that other machines made."""
    found = machine("images")
    found.carry(planner.folder, "plan.json")
    found.carry(shared(night), "modules")
    found.carry(compiler.folder, "plan.json")
    for folder in (compiler.folder / "modules").iterdir():
        shutil.rmtree(found.folder / "modules" / folder.name)
        found.carry(compiler.folder, f"modules/{folder.name}")
    found.does("build", *(word for name in VARIANTS for word in ("--variant", name)))
    return found


@pytest.fixture(scope="module")
def reader(machine, builder):
    """Reads and lists the images, from their layouts."""
    found = machine("images-read")
    found.carry(builder.folder, "plan.json", "modules", "build", "oci")
    found.does("inspect")
    return found


@pytest.fixture(scope="module")
def checker(machine, reader):
    """Has documents alone: no image, no layout."""
    found = machine("checks")
    found.carry(reader.folder, "plan.json", "modules", "build", "inspect")
    found.does("check")
    return found


@pytest.fixture(scope="module")
def publisher(machine, reader, checker):
    found = machine("publish")
    reader.does("sbom")
    found.carry(reader.folder, *(name for name in DOCUMENTS if name != "check"))
    found.carry(checker.folder, "check")
    found.does("sign", "--variant", TAMPERED)
    found.does("attest", "--variant", TAMPERED)
    found.does("publish")
    return found


def test_the_same_inputs_give_the_same_plan_on_another_machine(planner, night):
    assert (planner.folder / "plan.json").read_bytes() == (shared(night) / "plan.json").read_bytes()


def test_a_module_that_is_compiled_by_itself_is_the_runs(compiler, night):
    (document,) = (compiler.folder / "modules").glob("*/build.json")
    name = document.relative_to(compiler.folder)
    alone, together = (json.loads((f / name).read_text()) for f in (compiler.folder, shared(night)))
    assert alone["files"] == together["files"]
    assert alone["sha256"] == together["sha256"], "the package, not only the modules in it"
    assert not (compiler.folder / "build").exists(), "nothing else was built"


def test_the_whole_way_in_separate_commands_ends_in_the_digests_of_the_run(publisher, night):
    found = {
        name: json.loads((publisher.folder / "publish" / f"{name}.json").read_text())
        for name in VARIANTS
    }
    pinned = {n: f"{p['repository']}@{p['digest']}" for n, p in found.items()}
    assert pinned == {name: night.variants[name]["reference"] for name in VARIANTS}
    assert {p["status"] for p in found.values()} == {"unchanged"}, "signed and tagged by the run"


def test_the_report_of_the_last_machine_has_every_verdict(publisher, night):
    report = publisher.does("report")
    rows = {variant["name"]: variant for variant in report["variants"]}
    assert {n: row["outcome"] for n, row in rows.items()} == dict.fromkeys(VARIANTS, "published")
    for name, row in rows.items():
        expected = night.variants[name]
        for key in ("reference", "packages", "size", "kernel", "tags"):
            assert row[key] == expected[key], (name, key)


# ------------------------------------------------------------------ what was changed on its way


@pytest.fixture
def thief(machine, publisher, request):
    """A machine that has everything, on which a test changes one thing."""
    found = machine("changed")
    found.carry(publisher.folder, *DOCUMENTS)
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
    ],
)  # fmt: skip
def test_a_document_that_was_changed_is_refused_by_its_name(thief, name, stage):
    path = thief.folder / name
    text = path.read_text().replace('"schema_version": 1', '"schema_version":  1')
    assert text != path.read_text()
    thief.replace(name, text.encode())
    if name.startswith("plan"):
        refused(thief, stage, ["build", "rests on another plan.json"])
    elif name.startswith("inspect"):
        refused(thief, "publish", ["rests on another inspect"])
    elif name.startswith("build"):
        refused(thief, "publish", ["rests on another build"])
    else:
        # Nothing above it yet: the change has to be one that says something else.
        document = json.loads(text)
        key = {"oci": "digest", "check": "image_id", "sbom": "sha256"}[name.partition("/")[0]]
        document[key] = "sha256:" + "0" * 64 if key == "digest" else "0" * 64
        thief.replace(name, json.dumps(document).encode())
        refused(thief, stage, ["0" * 64], code=10 if key == "digest" else 12)


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


def test_a_kmod_package_that_was_changed_or_is_of_another_kernel_is_refused(machine, builder):
    found = machine("changed-package")
    found.carry(builder.folder, "plan.json", "modules")
    plan = json.loads((found.folder / "plan.json").read_text())
    variant = next(v for v in plan["variants"] if v["name"] == "base-zfs")
    zfs = variant["modules"][0]
    step = step_name(
        f"module:{variant['stream']}:zfs-{zfs['version']}:{variant['kernel']['chosen']}"
    )
    record = json.loads((found.folder / f"modules/{step}/build.json").read_text())
    package = f"modules/{step}/{record['package']}"
    whole = (found.folder / package).read_bytes()
    found.replace(package, whole[:-1] + bytes([whole[-1] ^ 1]))
    report = found.does("build", "--variant", "base-zfs", code=12)
    error = next(result["error"] for result in report["results"] if result["error"])
    assert f"{record['package']} was changed since it was made" in error
    other = next(
        f for f in (found.folder / "modules").iterdir() if f.name != step and "zfs" in f.name
    )
    shutil.copy(other / "build.json", found.folder / f"modules/{step}/copied.json")
    found.replace(f"modules/{step}/build.json", (other / "build.json").read_bytes())
    report = found.does("build", "--variant", "base-zfs", code=12)
    error = next(result["error"] for result in report["results"] if result["error"])
    assert f"not {record['package']}" in error


def test_a_stage_on_a_machine_that_lacks_the_documents_names_them_and_their_command(
    machine, planner
):
    found = machine("empty")
    assert "`immutable-base plan --save` makes it" in found.does("build", code=2)["error"]
    found.carry(planner.folder, "plan.json")
    (result,) = found.does("check", "--variant", "base", code=2)["results"]
    assert "build/base.json" in result["error"]
    assert "`immutable-base build --variant` makes it" in result["error"]
