"""`immutable-base plan` as a user meets it."""

import json
from pathlib import Path

import pytest
import tomlkit

from immutable_base.cli import make_context
from immutable_base.cli.main import main
from immutable_base.model.plan import Plan
from immutable_base.model.plan_diff import PlanDiff
from support.plan_world import digest_rpms
from support.rpmmd import Rpm


@pytest.fixture
def cli(world, monkeypatch):
    world.write()
    config = world.folder / "immutable-base.toml"
    config.write_text(tomlkit.dumps(world.document))
    (world.folder / "layers").mkdir()
    monkeypatch.setattr(make_context, "run", world.run)
    monkeypatch.setenv("IMMUTABLE_BASE_CONTAINED", "1")
    return lambda *words: main(
        ["plan", "--config", str(config), "--workspace", str(world.folder / "ws"), *words]
    )


def test_json_is_the_contract(cli, capsys, world):
    assert cli("--format", "json") == 0
    text = capsys.readouterr().out
    document = json.loads(text)
    assert Plan.model_validate_json(text).to_json() == text
    assert document["schema_version"] == 1
    variant = document["variants"][1]
    assert {
        "name",
        "stream",
        "verdict",
        "base",
        "kernel",
        "modules",
        "packages",
        "reasons",
    } <= variant.keys()
    assert {
        "image",
        "image_evr",
        "chosen",
        "chosen_evr",
        "action",
        "source",
        "rejected",
    } <= variant["kernel"].keys()
    assert variant["kernel"]["action"] == "up"


def test_text_says_which_kernel_and_why(cli, capsys):
    assert cli() == 0
    text = capsys.readouterr().out
    assert "6.12.94-1.x86_64 (down from" in text
    assert "pci_resize_resource" in text


def test_only_the_variants_asked_for(cli, capsys):
    assert cli("--variant", "fedora-base", "--format", "json") == 0
    assert [v["name"] for v in json.loads(capsys.readouterr().out)["variants"]] == ["fedora-base"]


def test_unknown_variant(cli, capsys):
    assert cli("--variant", "bsae") == 2
    assert "did you mean 'base'" in capsys.readouterr().err


def test_output_file_holds_the_whole_document(cli, capsys, tmp_path):
    assert cli("--format", "json", "--output", str(tmp_path / "plan.json")) == 0
    assert capsys.readouterr().out == ""
    Plan.model_validate_json(Path(tmp_path / "plan.json").read_text())


def test_the_exit_code_is_the_worst_variants(cli, capsys, world):
    world.answers = {"/openzfs/repodata/repomd.xml": 503}
    primary = next((world.folder / "www/fedora/repodata").glob("*primary*"))
    primary.write_bytes(b"x")
    assert cli("--format", "json") == 12
    verdicts = [v["verdict"] for v in json.loads(capsys.readouterr().out)["variants"]]
    assert verdicts == ["build", "fail", "fail", "fail"]


# ------------------------------------------------------------------ --diff


@pytest.mark.parametrize("format_", ["text", "json"])
def test_an_earlier_plan_that_was_cut_off_is_refused_before_anything_is_fetched(
    cli, capsys, tmp_path, world, format_
):
    (tmp_path / "old.json").write_text('{"schema_version": 1, "variants": [')
    assert cli("--diff", str(tmp_path / "old.json"), "--format", format_) == 2
    said = capsys.readouterr()
    assert said.err.startswith(f"error: {tmp_path / 'old.json'} is no plan")
    assert "hint: `immutable-base plan --format json" in said.err
    assert (said.out, world.requests) == ("", [])


def test_what_changes_in_words_and_as_a_document(cli, capsys, tmp_path, world):
    old = str(tmp_path / "old.json")
    assert cli("--format", "json", "--output", old) == 0
    assert cli("--diff", old) == 0
    assert "base-zfs: build, nothing changes" in capsys.readouterr().out
    world.repositories["baseos"] = [
        Rpm("jq", "1.8-1") if rpm.name == "jq" else rpm for rpm in world.repositories["baseos"]
    ]
    digest_rpms(world)
    world.write()
    assert cli("--diff", old) == 0
    assert "\n    jq.x86_64 up: 1.7-1 → 1.8-1\n" in capsys.readouterr().out
    assert cli("--diff", old, "--format", "json") == 0
    text = capsys.readouterr().out
    diff = PlanDiff.model_validate_json(text)
    assert diff.to_json() == text
    assert [(v.name, v.change.value) for v in diff.variants] == [
        ("base", "changed"), ("base-zfs", "changed"), ("base-zfs-nvidia", "changed"), ("fedora-base", "same"),
    ]  # fmt: skip


def test_variants_that_nobody_asked_for_are_not_gone(cli, capsys, tmp_path):
    old = str(tmp_path / "old.json")
    assert cli("--format", "json", "--output", old) == 0
    assert cli("--diff", old, "--variant", "base") == 0
    assert capsys.readouterr().out.splitlines()[1:] == ["base: build, nothing changes"]


# ------------------------------------------------------------------ words


def test_one_answer_says_each_reason_once(cli, capsys):
    assert cli() == 0
    text = capsys.readouterr().out
    for words in ("pci_resize_resource", "no repository has kernel-devel", "incomplete: no"):
        assert text.count(words) == 1


def test_explain_tells_the_story_of_one_variant_and_plans_no_other(cli, capsys, world):
    assert cli("--explain", "base-zfs") == 0
    text = capsys.readouterr().out
    assert text.startswith("base-zfs: build, on stream el\n")
    for heading in (
        "base image",
        "kernels, newest first",
        "modules",
        "layers, from the base image up",
    ):
        assert f"\n\n{heading}\n  " in text
    assert "fedora-base" not in text
    assert not any(path.startswith(("/fedora/", "/cuda/")) for path in world.requests)


def test_explain_as_json_is_the_plan_document(cli, capsys):
    assert cli("--explain", "base", "--format", "json") == 0
    assert [v.name for v in Plan.model_validate_json(capsys.readouterr().out).variants] == ["base"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--explain", "bsae"), "did you mean 'base'"),
        (("--explain", "base", "--variant", "base"), "--explain and --variant exclude each other"),
        (("--explain", "base", "--save"), "--explain and --save exclude each other"),
        (("--explain", "base", "--diff", "x.json"), "not allowed with"),
    ],
)
def test_explain_refuses_what_makes_no_sense(cli, capsys, world, words, said):
    assert cli(*words) == 2
    assert said in capsys.readouterr().err
    assert world.requests == []


def test_warnings_and_the_age_of_repositories_are_shown(cli, capsys, world):
    world.os_release = "SUPPORT_END=2026-12-02\n"
    assert cli() == 0
    text = capsys.readouterr().out
    assert "warning: the base image has no support from 2026-12-02 on" in text
    assert "  openzfs: metadata of 2026-11-18" in text
    assert cli("--explain", "base-zfs") == 0
    text = capsys.readouterr().out
    assert "warning: the base image has no support from 2026-12-02 on" in text
    assert "  openzfs: metadata of 2026-11-18" in text
    assert "cuda" not in text


def test_a_diff_as_markdown_is_a_comment_and_says_so_if_nothing_changes(cli, capsys, tmp_path):
    old = tmp_path / "old.json"
    assert cli("--format", "json", "--output", str(old)) == 0
    assert cli("--diff", str(old), "--format", "markdown") == 0
    assert capsys.readouterr().out.startswith("**Nothing changes** for ")


def test_markdown_is_for_differences_only(cli, capsys):
    assert cli("--format", "markdown") == 2
    assert "--format markdown is for --diff" in capsys.readouterr().err
