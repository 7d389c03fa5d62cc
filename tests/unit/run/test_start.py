"""A run starts from nothing: what an earlier one left is removed, and nothing of it is used."""

import json

import pytest

from immutable_base.errors import HostError, VerificationError
from immutable_base.model.plan import Verdict
from immutable_base.model.run import RunReport
from immutable_base.run import begin, nightly
from immutable_base.workspace import exclusive
from support.build_world import BuildWorld
from support.plans import BASE, plan
from support.publish_world import token_for


class Silent:
    """An observer that remembers only how nodes ended."""

    def __init__(self):
        self.ended = {}

    def expect(self, node, title, **_):
        pass

    def started(self, node):
        pass

    def line(self, node, message):
        pass

    def finished(self, node, state, message=""):
        self.ended[node] = (state, message)


@pytest.fixture
def world(tmp_path, monkeypatch):
    """A run whose plan is given, and which ends before the checks."""
    world = BuildWorld(tmp_path, plan())
    world.planned = 0

    def make_plan(_inputs, _variants):
        world.planned += 1
        return plan()

    monkeypatch.setattr(begin, "make_plan", make_plan)
    token = token_for(world.context.settings, ref_protected="true")
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", token)
    monkeypatch.setattr(nightly, "stage_nodes", lambda *_: ())
    monkeypatch.setattr("immutable_base.build.nodes.fetch_packages", world.fetch)
    return world


def run(world, observer=None):
    return nightly.run_variants(
        world.context, variants=(), observer=observer or Silent(), workers=2
    )


def left_by_an_earlier_run(workspace, *names):
    for name in names:
        path = workspace / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("old")


def test_what_an_earlier_run_left_is_removed_and_caches_by_checksum_stay(world):
    left_by_an_earlier_run(
        world.context.workspace,
        "tonight/mount/x/packages/old.rpm", "tonight/publish/old.json", "tonight/sbom/old.cdx.json", "tonight/log/old.log",
        "storage-run/overlay-containers/mounted", "before/plan.json", "cache/metadata/aa.xml.gz", "storage/overlay/base",
    )  # fmt: skip
    run(world)
    left = {
        str(path.relative_to(world.context.workspace))
        for path in world.context.workspace.rglob("*")
        if path.is_file() and path.read_text("utf-8", "replace") == "old"
    }
    assert left == {"cache/metadata/aa.xml.gz", "storage/overlay/base"}


def test_containers_and_images_of_an_earlier_run_go_before_anything_is_built(world):
    world.images = [
        {"id": "1" * 64, "names": [BASE.pinned]},
        {"id": "2" * 64, "names": ["localhost/immutable-base/base-zfs:built"]},
        {"id": "3" * 64, "names": None},
        {"id": "4" * 64, "names": [BASE.reference]},
        {"id": "5" * 64, "names": [BASE.pinned.replace("a" * 64, "b" * 64)]},
    ]
    left_by_an_earlier_run(world.context.workspace, "storage/overlay/base")
    run(world)
    verbs = [c.argv[c.argv.index("overlay") + 1 :] for c in world.commands if "overlay" in c.argv]
    first = next(n for n, verb in enumerate(verbs) if verb[0] in {"from", "build", "pull"})
    assert verbs[0] == ("rm", "--all")
    assert [verb[-1][0] for verb in verbs[:first] if verb[0] == "rmi"] == ["2", "3", "4", "5"]


def test_a_second_run_builds_everything_again_and_reads_nothing_of_the_first(world):
    run(world)
    first = [command.argv for command in world.builds]
    world.commands.clear()
    run(world)
    assert sorted(command.argv for command in world.builds) == sorted(first)
    # Of a module two: it is compiled, and packed.
    assert len(first) == 9
    assert not (world.context.workspace / "before/oci/base").exists(), "compared, and gone"
    words = [word for command in world.commands for word in command.argv]
    assert [word for word in words if "/before" in word] == []


def test_every_variant_of_the_plan_has_an_end_and_none_is_green_without_a_publication(world):
    observer = Silent()
    report = run(world, observer)
    assert {v.name: (v.outcome, v.exit_code) for v in report.variants} == {
        "base": ("failed", 1), "base-zfs": ("failed", 1), "base-zfs-again": ("failed", 1), "base-zfs-old": ("failed", 1),
        "base-held": ("held", 0),
    }  # fmt: skip
    assert {state for state, _ in observer.ended.values()} == {"done"}
    tonight = world.context.run_folder
    assert RunReport.model_validate_json((tonight / "run.json").read_text()) == report
    assert not (tonight / "publish").exists()
    assert len(list((tonight / "modules").glob("*/build.json"))) == 2
    assert (
        len(list((tonight / "build").iterdir())) == len(list((tonight / "oci").glob("*.json"))) == 4
    )
    assert report.documents == str(tonight)


@pytest.mark.parametrize(
    ("claims", "words"),
    [
        ({"iss": "https://gitlab.example"}, "issued by"),
        ({"ref_protected": "false"}, "a ref that is not protected"),
    ],
)
def test_a_wrong_token_is_reported_before_anything_is_planned(world, monkeypatch, claims, words):
    settings = world.context.settings
    assert settings.signing.protected_ref
    monkeypatch.setenv("SIGSTORE_ID_TOKEN", token_for(settings, **claims))
    with pytest.raises(VerificationError, match=words):
        run(world)
    assert (world.planned, world.commands) == (0, [])


def test_a_run_in_a_workspace_that_another_one_holds_touches_nothing(world):
    left_by_an_earlier_run(world.context.workspace, "tonight/plan.json")
    with exclusive(world.context.workspace), pytest.raises(HostError, match="another command"):
        run(world)
    assert (world.context.run_folder / "plan.json").read_text() == "old"
    assert (world.planned, world.commands) == (0, [])


def test_a_plan_that_fails_ends_the_run_with_its_error_and_says_so(world, monkeypatch):
    def fail(_inputs, _variants):
        raise HostError("no space")

    monkeypatch.setattr(begin, "make_plan", fail)
    observer = Silent()
    with pytest.raises(HostError, match="no space"):
        run(world, observer)
    assert observer.ended == {"plan": ("failed", "no space")}
    assert world.commands == []


def test_nothing_is_built_for_variants_that_are_held(world, monkeypatch):
    whole = plan()
    held = [v.model_copy(update={"verdict": Verdict.HOLD}) for v in whole.variants]
    monkeypatch.setattr(
        begin, "make_plan", lambda *_, **__: whole.model_copy(update={"variants": tuple(held)})
    )
    report = run(world)
    assert {v.outcome for v in report.variants} == {"held"}
    assert world.builds == []


def test_a_node_that_failed_leaves_its_error_beside_the_other_documents(world):
    world.wrong_package = "kmod-zfs-prebuilt-0-1.x86_64.rpm"
    run(world)
    found = [json.loads(p.read_text()) for p in (world.context.run_folder / "failed").iterdir()]
    assert {failure["id"].partition(":")[0] for failure in found} == {"module"}
    assert all("the builder of zfs did not make" in failure["error"] for failure in found)


def test_images_that_are_alike_say_nothing_of_a_difference(world):
    run(world)
    report = run(world)
    assert {variant.difference for variant in report.variants} == {None}


def test_a_run_starts_no_more_machines_at_once_than_have_processors(world, monkeypatch):
    given, real = [], nightly.run_nodes
    monkeypatch.setattr(
        nightly, "run_nodes", lambda nodes, **how: given.append(how) or real(nodes, **how)
    )
    monkeypatch.setattr("os.sched_getaffinity", lambda _process: range(4))
    run(world)
    assert [how["lanes"] for how in given] == [{"boot": 2}]
