"""One stage by itself: the same steps as in a run, on what earlier ones left."""

import json
import shutil
import threading
import time
from dataclasses import replace

import pytest

from immutable_base.documents import module_name
from immutable_base.errors import ConfigurationError, HostError
from immutable_base.model.stage import Failure
from immutable_base.run import stages as room
from immutable_base.run.single import Selection, run_stage
from immutable_base.workspace import exclusive
from support.build_world import BuildWorld
from support.observers import Recorder
from support.plans import K1, K2, plan
from support.stage_documents import leave_facts

ZFS = plan().variants[1]


@pytest.fixture
def world(tmp_path, monkeypatch):
    world = BuildWorld(tmp_path, plan())
    monkeypatch.setattr("immutable_base.build.nodes.fetch_packages", world.fetch)
    return world


def stage(world, name, **selection):
    return run_stage(world.context, name, Selection(**selection), observer=Recorder(), workers=2)


def made(world):
    """Return the documents in the run's folder, without the plan."""
    folder = world.context.run_folder
    return {
        str(path.relative_to(folder))
        for pattern in ("build/*", "modules/*/build.json", "oci/*.json")
        for path in folder.glob(pattern)
    }


def module_document(kernel):
    return module_name(f"module:centos-stream-10:zfs-2.3.9:{kernel}")


def test_a_build_of_everything_is_a_runs_build(world):
    report = stage(world, "build")
    assert (report.exit_code, report.stage) == (0, "build")
    variants = ("base", "base-zfs", "base-zfs-again", "base-zfs-old")
    assert made(world) == {
        module_document(K1), module_document(K2),
        *(f"build/{name}.json" for name in variants), *(f"oci/{name}.json" for name in variants),
    }  # fmt: skip
    assert {r.id: r.outcome for r in report.results}["plan:base-held"] == "held"


def test_one_module_for_one_kernel_is_compiled_and_nothing_else(world):
    report = stage(world, "build", module="zfs", kernel=K1)
    assert made(world) == {module_document(K1)}
    assert [r.id for r in report.results if r.id.startswith(("layer", "image", "export"))] == []
    assert len(world.builds) == 2  # It is compiled, and packed.


def test_a_module_without_a_kernel_is_compiled_for_every_kernel(world):
    stage(world, "build", module="zfs")
    assert made(world) == {module_document(K1), module_document(K2)}


@pytest.mark.parametrize(("module", "kernel"), [("nvidia", None), ("zfs", "6.12.0")])
def test_a_module_that_is_not_planned_is_named_with_those_that_are(world, module, kernel):
    with pytest.raises(ConfigurationError, match=f"compiles no module '{module}'") as caught:
        stage(world, "build", module=module, kernel=kernel)
    assert f"zfs for {K1}" in caught.value.hint


def test_for_the_kernel_of_a_variant_its_module_is_compiled_once_by_the_first_that_needs_it(world):
    first = stage(world, "build", module="zfs", kernel_of="base-zfs")
    assert made(world) == {module_document(K2)}
    assert first.exit_code == 0
    world.commands.clear()
    (again,) = stage(world, "build", module="zfs", kernel_of="base-zfs-again").results
    assert (again.outcome, again.exit_code) == ("done", 0)
    assert again.message == f"nothing to do: base-zfs is on {K2} too, and it takes its"
    assert not world.builds
    stage(world, "build", module="zfs", kernel_of="base-zfs-old")
    assert made(world) == {module_document(K1), module_document(K2)}


def test_for_a_variant_on_hold_nothing_is_compiled_and_the_reason_is_told(world):
    report = stage(world, "build", module="zfs", kernel_of="base-held")
    (held,) = report.results
    assert (held.id, held.outcome) == ("plan:base-held", "held")
    assert (report.exit_code, report.held) == (0, True)
    assert not world.builds


def test_a_variant_that_is_not_planned_is_named_before_anything_is_compiled(world):
    with pytest.raises(ConfigurationError, match="plans nothing for 'other'"):
        stage(world, "build", module="zfs", kernel_of="other")


def test_without_being_asked_no_image_is_left_in_a_registry(world):
    report = stage(world, "build")
    assert report.held
    assert world.pushed == {}
    assert {json.loads(p.read_text())["candidate"] for p in layouts(world)} == {None}
    stage(world, "build", variants=("base",))
    assert world.pushed == {}


def layouts(world):
    return sorted(world.context.run_folder.glob("oci/*.json"))


def test_a_candidate_is_pushed_by_digest_and_another_machine_finds_it_there(world):
    stage(world, "build", candidate=True)
    found = {p.stem: json.loads(p.read_text()) for p in layouts(world)}
    repository = f"{world.context.settings.registry.destination}/candidates"
    assert {name: it["candidate"] for name, it in found.items()} == {
        name: f"{repository}@{it['digest']}" for name, it in found.items()
    }
    assert set(world.pushed) == {it["candidate"] for it in found.values()}


def test_a_candidate_has_the_tag_of_the_day_on_which_it_was_left_and_of_its_digest(world):
    """Without a tag GitLab.com would collect it after a day; by the day prune knows its age."""
    world.context = replace(world.context, clock=lambda: 86400.0 * 365)
    stage(world, "build", candidate=True)
    for pinned in world.pushed:
        repository, _, digest = pinned.partition("@")
        assert world.tagged.pop(f"{repository}:19710101-{digest[7:19]}") == pinned
    assert world.tagged == {}


def test_a_variant_is_made_from_packages_that_are_here_and_compiles_none(world):
    stage(world, "build", module="zfs", kernel=K2)
    world.commands.clear()
    packages = world.context.run_folder / "packages"
    shutil.rmtree(packages)
    report = stage(world, "build", variants=("base-zfs",))
    assert report.exit_code == 0
    assert [c for c in world.builds if "/run/output" in " ".join(c.argv)] == []
    assert made(world) == {module_document(K2), "build/base-zfs.json", "oci/base-zfs.json"}
    fetched = {path.read_text() for path in packages.iterdir()}
    assert not [name for name in fetched if name.startswith(("gcc", "zfs-dkms", "kernel-devel"))]
    assert [name for name in fetched if name.startswith("zfs-2")]


def test_a_variant_whose_module_nobody_compiled_names_the_command(world):
    report = stage(world, "build", variants=("base-zfs", "base"))
    assert report.exit_code == 2
    (failed,) = [r for r in report.results if r.outcome == "failed"]
    assert failed.id == f"module:centos-stream-10:zfs-2.3.9:{K2}"
    assert "immutable-base build --module" in failed.error
    assert made(world) == {"build/base.json", "oci/base.json"}, "others are built all the same"


def test_a_module_of_another_plan_is_refused(world):
    stage(world, "build", module="zfs", kernel=K2)
    path = world.context.run_folder / "plan.json"
    path.write_text(path.read_text() + "\n")
    report = stage(world, "build", variants=("base-zfs",))
    assert report.exit_code == 12
    assert "rests on another plan.json" in next(r.error for r in report.results if r.error)
    assert made(world) == {module_document(K2)}


def test_a_failure_is_left_for_the_report_and_goes_with_the_next_success(world, monkeypatch):
    stage(world, "build", variants=("base",))
    answers = [HostError("the disk is full"), "root"]
    monkeypatch.setattr(
        room.Stages, "inspect", lambda *_: "fine" if answers[0] == "root" else (_ for _ in ()).throw(answers.pop(0))
    )  # fmt: skip
    path = world.context.run_folder / "failed/inspect_base.json"
    assert stage(world, "inspect", variants=("base",)).exit_code == 4
    failure = Failure.model_validate_json(path.read_text())
    assert (failure.error, failure.variants, failure.exit_code) == (
        "the disk is full",
        ("base",),
        4,
    )
    report = stage(world, "inspect", variants=("base",))
    assert [(r.outcome, r.message) for r in report.results] == [("done", "fine")]
    assert not path.exists()


def test_one_variant_that_fails_is_no_reason_for_another(world):
    stage(world, "build")
    leave_facts(world.context.documents, plan().variants[0])
    report = stage(world, "check", variants=("base", "base-zfs"))
    states = {r.id: (r.outcome, r.exit_code) for r in report.results}
    assert states == {"check:base": ("failed", 10), "check:base-zfs": ("failed", 2)}
    assert report.exit_code == 10


def test_a_variant_that_could_not_be_planned_fails_and_one_on_hold_does_not(world):
    path = world.context.run_folder / "plan.json"
    document = json.loads(path.read_text())
    document["variants"][0] |= {
        "verdict": "fail",
        "exit_code": 6,
        "reasons": ["the mirror is down"],
    }
    path.write_text(json.dumps(document))
    report = stage(world, "inspect", variants=("base", "base-held"))
    assert [(r.outcome, r.exit_code, r.error) for r in report.results] == [
        ("failed", 6, "the mirror is down"), ("held", 0, None),
    ]  # fmt: skip


def test_without_a_plan_nothing_begins(world):
    (world.context.run_folder / "plan.json").unlink()
    with pytest.raises(ConfigurationError, match=r"there is no .*plan\.json") as caught:
        stage(world, "build")
    assert caught.value.hint.startswith("`immutable-base plan --save` makes it; or copy it")
    assert world.commands == []


def test_a_variant_that_is_not_planned_is_refused_before_anything(world):
    with pytest.raises(ConfigurationError, match="plans nothing for 'nothing'"):
        stage(world, "build", variants=("base", "nothing"))
    assert world.commands == []


def test_two_stages_do_not_work_in_one_workspace(world):
    with exclusive(world.context.workspace), pytest.raises(HostError, match="another command"):
        stage(world, "build")
    assert world.commands == []


def test_a_build_removes_images_of_an_earlier_one_and_keeps_bases(world):
    world.images = [
        {"id": "1" * 64, "names": [ZFS.base.pinned]},
        {"id": "2" * 64, "names": ["localhost/immutable-base/base:built"]},
    ]
    (world.context.storage.root / "overlay").mkdir(parents=True)
    stage(world, "build", variants=("base",))
    assert [c.argv[-1][0] for c in world.commands if "rmi" in c.argv] == ["2"]


def test_mounts_that_a_killed_command_left_are_forgotten(world):
    stale = world.context.storage.run_root / "overlay-containers" / "mounted"
    stale.parent.mkdir(parents=True)
    stale.touch()
    stage(world, "build", variants=("base",))
    assert not stale.exists()


@pytest.mark.parametrize(("processors", "at_once"), [(1, 1), (3, 1), (4, 2)])
def test_no_more_machines_are_started_at_once_than_have_processors(
    world, monkeypatch, processors, at_once
):
    """Each has two of its own; there are four images, and a worker for each."""
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: range(processors))
    started, most, turn = [], [], threading.Barrier(at_once)

    def boot(_stages, variant, _report):
        started.append(variant.name)
        most.append(len(started))
        turn.wait(10)  # Until as many are there as may be.
        time.sleep(0.05)  # One more would come in this time.
        started.remove(variant.name)
        return "booted"

    monkeypatch.setattr(room.Stages, "boot", boot)
    found = run_stage(world.context, "boot", Selection(), observer=Recorder(), workers=4)
    assert [it.outcome for it in found.results if it.id.startswith("boot:")] == ["done"] * 4
    assert max(most) == at_once
