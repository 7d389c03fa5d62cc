"""How it ended, from documents: what changed, and what failed."""

import json

import pytest

from immutable_base.errors import CheckError, ConfigurationError, NotSignedError
from immutable_base.instance.changes import changes_between
from immutable_base.instance.contract import load_contract
from immutable_base.instance.report import report_instance
from immutable_base.instance.verbs import carry_out, decide_now
from immutable_base.report.instance import (
    decision_dotenv,
    decision_text,
    instance_markdown,
)
from immutable_base.solver.order import EvrOrder
from support.forge import NOW
from support.instance_world import BASE
from support.scene import command


def sbom(kernel, modules=(), packages=()):
    said = [{"name": "immutable-base:kernel-release", "value": kernel}]
    rows = [
        {"name": name, "version": version, "properties": [{"name": "immutable-base:kernel-release", "value": kernel}]}
        for name, version in modules
    ]  # fmt: skip
    rows += [
        {"name": name, "version": evr, "purl": f"pkg:rpm/centos/{name}@{evr}?arch={arch}&distro=centos-10"}
        for name, evr, arch in packages
    ]  # fmt: skip
    return {"metadata": {"component": {"properties": said}}, "components": rows}


def go(world, *stages):
    decide_now(world.context)
    for stage in stages:
        carry_out(world.context, stage, lambda _: None)


def report(world):
    return report_instance(world.context.documents)


def test_what_changed_is_by_rpm_s_order():
    before = sbom("6.12.1", [("zfs.ko", "2.3.8")], [("bash", "5.9-1", "x86_64"), ("gone", "1-1", "noarch"), ("epoch", "2-1", "x86_64"), ("gpg-pubkey", "a-1", "")])  # fmt: skip
    after = sbom("6.12.2", [("zfs.ko", "2.3.9")], [("bash", "5.10-1", "x86_64"), ("new", "1-1", "noarch"), ("epoch", "1:1-1", "x86_64"), ("gpg-pubkey", "b-1", "")])  # fmt: skip
    found = changes_between(before, after, EvrOrder())
    assert found.kernel == ("6.12.1", "6.12.2")
    assert [(m.name, str(m.change)) for m in found.modules] == [("zfs.ko", "up")]
    assert [(p.name, p.arch, str(p.change)) for p in found.packages] == [
        ("bash", "x86_64", "up"), ("epoch", "x86_64", "up"), ("gone", "noarch", "gone"), ("new", "noarch", "new"),
    ]  # fmt: skip
    back = changes_between(after, before, EvrOrder())
    assert [str(p.change) for p in back.packages] == ["down", "down", "new", "gone"]


def test_the_same_image_has_no_changes():
    one = sbom("6.12.1", [("zfs.ko", "2.3.8")], [("bash", "5.9-1", "x86_64")])
    found = changes_between(one, one, EvrOrder())
    assert (found.kernel, found.modules, found.packages) == (None, (), ())


def test_a_published_instance(world):
    go(world, "build", "check", "sbom", "publish")
    found = report(world)
    assert (found.outcome, found.exit_code, found.changes) == ("published", 0, None)
    assert found.image.endswith(world.tags()["latest"])
    text = instance_markdown(found)
    assert "**fileserver**: published" in text
    assert found.image in text


def test_the_second_image_is_compared_with_the_published_one(world):
    go(world, "build", "check", "sbom", "publish")
    world.publish_base(words="night 2", when=NOW + 60)
    go(world, "build", "check", "sbom")
    found = report(world)
    assert found.outcome == "built"
    assert found.changes is not None
    assert "packages and modules are the same" in instance_markdown(found)
    path = world.folder / "workspace/instance/published.cdx.json"
    path.write_text(path.read_text() + " ")
    assert report(world).changes is None, "nothing is said of a list that was changed"


def test_unchanged_and_wait_are_results_of_their_own(world):
    go(world, "build", "check", "sbom", "publish")
    go(world)
    assert (report(world).outcome, report(world).exit_code) == ("unchanged", 0)
    world.registries[BASE].manifests.clear()
    go(world)
    assert (report(world).outcome, report(world).exit_code) == ("wait", 0)


def test_a_failure_is_reported_with_its_code_and_goes_with_the_next_success(world):
    world.facts["module_trees"] = ()
    go(world, "build")
    with pytest.raises(CheckError):
        carry_out(world.context, "check", lambda _: None)
    found = report(world)
    assert (found.outcome, found.exit_code) == ("failed", 10)
    assert "one kernel" in found.error
    assert [line for line in found.findings if line.startswith("error: one kernel")]
    world.facts.clear()
    carry_out(world.context, "check", lambda _: None)
    assert report(world).outcome == "built"


def test_a_base_that_is_refused_is_reported_without_a_decision(world):
    world.publish_base(words="unsigned", signed=False)
    with pytest.raises(NotSignedError):
        go(world)
    with pytest.raises(ConfigurationError):
        carry_out(world.context, "build", lambda _: None)
    found = report(world)
    assert (found.outcome, found.exit_code, found.commit) == ("failed", 13, "")
    assert "no signature" in instance_markdown(found)


def test_a_failure_of_an_earlier_decision_is_no_news(world):
    with pytest.raises(ConfigurationError):
        go(world, "check")
    assert report(world).outcome == "failed"
    go(world)
    assert report(world).outcome == "built"


def test_without_anything_there_is_no_report(world):
    with pytest.raises(ConfigurationError, match="detect-changes` makes it"):
        report(world)


def test_an_error_with_backticks_stays_in_its_block(world):
    go(world)
    found = report(world).model_copy(update={"outcome": "failed", "error": "```\n# not a heading"})
    assert "````text\n```\n# not a heading\n````" in instance_markdown(found)


def test_variables_for_later_jobs(world):
    decision = decide_now(world.context)
    assert decision_dotenv(decision) == (
        f"IMMUTABLE_BASE_REBUILD=true\nIMMUTABLE_BASE_DECISION=rebuild\nIMMUTABLE_BASE_BASE={BASE}@{decision.base.digest}\n"
    )
    names = [line.partition("=")[0] for line in decision_dotenv(decision).splitlines()]
    assert tuple(names) == load_contract().outputs
    assert "never-published: nothing is published yet" in decision_text(decision)
    world.registries[BASE].manifests.clear()
    waiting = decide_now(world.context)
    assert decision_dotenv(waiting) == (
        "IMMUTABLE_BASE_REBUILD=false\nIMMUTABLE_BASE_DECISION=wait\nIMMUTABLE_BASE_BASE=\n"
    )


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"CI_PIPELINE_SOURCE": "schedule"}, 2), ({"CI_PIPELINE_SOURCE": "push"}, 2),
        ({"CI_PIPELINE_SOURCE": "merge_request_event", "CI_COMMIT_BRANCH": ""}, 0),
        ({"CI_PIPELINE_SOURCE": "merge_request_event"}, 0),
        ({"CI_PIPELINE_SOURCE": "web", "CI_COMMIT_BRANCH": "feature"}, 0),
        ({"CI_COMMIT_BRANCH": "", "CI_DEFAULT_BRANCH": ""}, 0),
    ],
)  # fmt: skip
def test_a_default_branch_that_publishes_nothing_is_not_green(world, monkeypatch, changes, code):
    """It is not protected, so that the pipeline has no `publish`; or that was ended from outside."""
    go(world, "build", "check", "sbom")
    given = {
        "CI_COMMIT_BRANCH": "main",
        "CI_DEFAULT_BRANCH": "main",
        "CI_PIPELINE_SOURCE": "schedule",
    }
    for name, value in {**given, **changes}.items():
        monkeypatch.setenv(name, value)
    done = command(["instance", "report", "--workspace", world.folder / "workspace"])
    assert done.code == code
    assert ("protect" in done.err) is bool(code)
    assert "fileserver" in done.out


def test_what_is_published_or_unchanged_is_green_on_the_default_branch(world, monkeypatch):
    for name, value in (("CI_COMMIT_BRANCH", "main"), ("CI_DEFAULT_BRANCH", "main")):
        monkeypatch.setenv(name, value)
    go(world, "build", "check", "sbom", "publish")
    where = ["instance", "report", "--workspace", world.folder / "workspace"]
    assert command(where).code == 0
    go(world)
    assert command(where).code == 0


LINES = "x\n/approve\n# heading"


def test_foreign_words_stay_in_their_line_and_are_text(world):
    """A file in a repository may have any name; the text is made for comments."""
    go(world)
    found = report(world)
    evil = found.reasons[0].model_copy(update={"message": LINES, "evidence": (LINES,)})
    text = instance_markdown(
        found.model_copy(
            update={
                "reasons": (evil,),
                "notes": (LINES, "<img src=x>"),
                "findings": (LINES, "![x](y)"),
            }
        )
    )
    assert not [line for line in text.splitlines() if line.startswith(("/", "#"))]
    assert r"\<img" in text
    assert r"\!\[x" in text


def test_a_name_with_a_line_in_it_makes_no_line_of_the_decision(world):
    decision = decide_now(world.context)
    evil = decision.reasons[0].model_copy(update={"evidence": ("x\nbase       sha256:forged",)})
    text = decision_text(decision.model_copy(update={"reasons": (evil,), "notes": (LINES,)}))
    assert "\nbase       sha256:forged" not in text
    assert "\n/approve" not in text


def test_the_command_ends_with_the_failure_s_code(world):
    world.publish_base(words="unsigned", signed=False)
    with pytest.raises(NotSignedError):
        go(world)
    done = command(
        ["instance", "report", "--workspace", world.folder / "workspace", "--format", "json"]
    )
    assert (done.code, json.loads(done.out)["outcome"]) == (13, "failed")
    assert (
        json.loads((world.folder / "workspace/instance/report.json").read_text())["exit_code"] == 13
    )
