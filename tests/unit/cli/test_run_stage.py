"""The commands that run one stage, as a user meets them."""

import json
from inspect import isfunction

import pytest

from immutable_base.cli import make_context
from immutable_base.cli.main import main
from immutable_base.model.plan import Plan, Verdict
from immutable_base.model.run import RunReport
from immutable_base.model.stage import StageReport
from immutable_base.run.reported import report_of
from immutable_base.run.stages import Stages
from support.build_world import BuildWorld
from support.paths import PRODUCT
from support.plans import plan
from support.stage_documents import leave_all, leave_facts

STAGES = ("build", "inspect", "check", "sbom", "boot", "sign", "attest", "publish")


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A saved plan whose variants are built; programs are those of the fake."""
    world = BuildWorld(tmp_path, plan())
    world.run_all()
    monkeypatch.setattr(make_context, "run", world.run)
    monkeypatch.setattr("immutable_base.build.nodes.fetch_packages", world.fetch)
    monkeypatch.setenv("IMMUTABLE_BASE_CONTAINED", "1")
    return world


@pytest.fixture
def cli(world):
    def call(command, *words):
        workspace = world.context.workspace
        return main([command, "--config", str(PRODUCT), "--workspace", str(workspace), *words])

    return call


@pytest.mark.parametrize("stage", STAGES)
def test_a_stage_without_a_plan_says_which_command_makes_one(cli, world, capsys, stage):
    (world.context.run_folder / "plan.json").unlink()
    assert cli(stage) == 2
    error = capsys.readouterr().err
    assert "plan.json" in error
    assert "`immutable-base plan --save` makes it" in error
    assert "Traceback" not in error


@pytest.mark.parametrize("stage", [stage for stage in STAGES if stage != "build"])
def test_a_stage_says_what_it_lacks_of_each_variant(cli, world, capsys, stage):
    (world.context.run_folder / "build/base.json").unlink()
    assert cli(stage, "--variant", "base", "--format", "json") == 2
    report = StageReport.model_validate_json(capsys.readouterr().out)
    (result,) = report.results
    assert (report.stage, result.id, result.outcome) == (stage, f"{stage}:base", "failed")
    assert "`immutable-base build --variant` makes it" in result.error


def test_text_has_a_line_for_each_step_and_every_error_in_full(cli, world, capsys):
    leave_facts(world.context.documents, plan().variants[0])
    assert cli("check", "--variant", "base", "--variant", "base-held") == 10
    out = capsys.readouterr().out.splitlines()
    assert out[0] == "check base: failed"
    assert out[1].startswith("plan base-held: held")
    assert any(line.startswith("check base: the image of base is not what") for line in out)
    assert out[-1] == f"Documents: {world.context.run_folder}"


def test_a_check_of_a_machine_without_programs_starts_none(cli, world, capsys):
    leave_facts(world.context.documents, plan().variants[0])
    world.commands.clear()
    cli("check", "--variant", "base")
    assert world.commands == []


def test_the_result_goes_to_a_file_that_was_asked_for(cli, tmp_path, capsys):
    assert (
        cli(
            "inspect",
            "--variant",
            "base-held",
            "--format",
            "json",
            "--output",
            str(tmp_path / "x.json"),
        )
        == 0
    )
    assert capsys.readouterr().out == ""
    assert (
        StageReport.model_validate_json((tmp_path / "x.json").read_text()).results[0].outcome
        == "held"
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--module", "zfs", "--variant", "base"), "exclude each other"),
        (("--kernel", "6.12"), "--kernel belongs to --module"),
        (("--kernel-of", "base-zfs"), "--kernel-of belongs to --module"),
        (("--module", "zfs", "--kernel", "6.12", "--kernel-of", "base-zfs"), "--kernel-of exclude"),
        (("--module", "zfs", "--candidate"), "--candidate is about images"),
        (("--module", "zsf"), "the plan compiles no module 'zsf'"),
        (("--variant", "bsae"), "plans nothing for 'bsae'"),
        (("--workers", "0"), "is not a whole number from 1 to 9999"),
    ],
)
def test_a_build_of_what_is_not_there_is_refused_with_what_is(cli, world, capsys, words, message):
    world.commands.clear()
    assert cli("build", *words) == 2
    assert message in capsys.readouterr().err
    assert world.commands == []


@pytest.mark.parametrize("form", ["text", "json", "markdown"])
def test_a_report_tells_how_each_variant_ended(cli, world, capsys, form):
    leave_all(world.context.documents, plan().variants[0])
    assert cli("report", "--format", form) == 2, "others are not finished"
    out = capsys.readouterr().out
    if form == "json":
        rows = {row.name: row.outcome for row in RunReport.model_validate_json(out).variants}
        assert (rows["base"], rows["base-zfs"], rows["base-held"]) == (
            "published",
            "failed",
            "held",
        )
    elif form == "markdown":
        lines = out.splitlines()
        assert lines[0].startswith("| variant | verdict |")
        assert any(line.startswith("| base | published | 6.12.0 (up) |") for line in lines)
        assert any("inspect/base-zfs.json" in line for line in lines)
        assert lines.count("```text") == lines.count("```") == 3
    else:
        assert "`immutable-base inspect` makes it" in out


def test_a_held_variant_shows_in_the_exit_code_where_that_is_asked_for(cli, world):
    assert cli("inspect", "--variant", "base-held") == 0
    assert cli("inspect", "--variant", "base-held", "--exit-held") == 3
    assert cli("report", "--exit-held") == 2, "a failure counts for more"
    for variant in plan().variants:
        if variant.verdict is Verdict.BUILD:
            leave_all(world.context.documents, variant)
    assert cli("report") == 0
    assert cli("report", "--exit-held") == 3


def test_so_it_does_in_that_of_a_run(cli, world, monkeypatch):
    for variant in plan().variants:
        if variant.verdict is Verdict.BUILD:
            leave_all(world.context.documents, variant)
    monkeypatch.setattr("immutable_base.cli.run.require_ready", lambda *_, **__: None)
    monkeypatch.setattr(
        "immutable_base.cli.run.run_variants", lambda *_, **__: report_of(world.context.documents)
    )
    assert cli("run") == 0
    assert cli("run", "--exit-held") == 3


def test_an_image_is_left_in_the_registry_only_if_that_is_asked_for(cli, world):
    for module in ("base-zfs", "base-zfs-old"):
        assert cli("build", "--module", "zfs", "--kernel-of", module) == 0
    assert cli("build", "--variant", "base-zfs") == 0
    assert world.pushed == {}
    assert cli("build", "--variant", "base-zfs", "--candidate") == 0
    (pinned,) = world.pushed
    assert "/candidates@sha256:" in pinned


def test_a_module_for_one_variant_is_compiled_for_its_kernel_alone(cli, world, capsys):
    world.commands.clear()
    assert cli("build", "--module", "zfs", "--kernel-of", "base-zfs-again") == 0
    assert "nothing to do: base-zfs is on" in capsys.readouterr().out
    assert world.builds == []
    assert cli("build", "--module", "zfs", "--kernel-of", "base-zfs") == 0
    assert len(world.builds) == 2  # It is compiled, and packed.


def test_the_stages_tried_here_are_all_that_a_variant_goes_through():
    ours = [
        name
        for name, it in vars(Stages).items()
        if isfunction(it) and "report" in str(it.__annotations__)
    ]
    assert ("build", *ours) == STAGES


def test_a_plan_is_saved_only_when_it_is_asked_to(world, cli, monkeypatch, capsys):
    monkeypatch.setattr("immutable_base.cli.plan.make_plan", lambda *_: plan())
    (world.context.run_folder / "check").mkdir()
    before = (world.context.run_folder / "plan.json").stat().st_ino
    assert cli("plan", "--format", "json") == 0
    assert (world.context.run_folder / "plan.json").stat().st_ino == before
    assert cli("plan", "--format", "json", "--save") == 0
    printed = capsys.readouterr().out
    saved = (world.context.run_folder / "plan.json").read_text()
    assert Plan.model_validate_json(saved) == plan()
    assert printed == saved * 2
    assert [path.name for path in world.context.run_folder.iterdir()] == ["plan.json"]
    assert (world.context.workspace / "before/oci/base/index.json").is_file(), "kept, to compare"
    assert json.loads(saved)["schema_version"] == 1
