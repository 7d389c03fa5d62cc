"""A night in a minute: two variants on the tiny stream, and what its faults make of them."""

from __future__ import annotations

import json

import pytest

from immutable_base.build.graph import image_tag
from immutable_base.errors import OtherSignerError
from immutable_base.image.program import mounted_image
from immutable_base.process import run
from immutable_base.tools import buildah, bwrap
from support.scenario_runs import ScenarioRuns, scenario_runs

PLAIN, WITH_MODULE = "tiny", "tiny-metronome"


@pytest.fixture(scope="module")
def scenarios(lab) -> ScenarioRuns:
    """Sets up scenarios in the lab that all tests share, and leaves every service running."""
    with scenario_runs(lab.state) as runs:
        yield runs


@pytest.fixture(scope="module")
def tiny(tiny_night) -> dict:
    """The rows of the shared run's report, by variant."""
    print(f"a night on the tiny stream: {tiny_night.seconds} s")
    return tiny_night.variants


@pytest.fixture(scope="module")
def plan(tiny_night) -> dict:
    document = json.loads((tiny_night.workspace / "tonight/plan.json").read_text())
    return {variant["name"]: variant for variant in document["variants"]}


def inside(night, variant, *argv):
    storage = buildah.Storage(run, night.workspace / "storage")
    with mounted_image(storage, image_tag(variant)) as mounted:
        return bwrap.run_in_root(run, mounted.root, argv).text


def test_both_variants_are_published_and_signed(lab, tiny):
    assert {n: v["outcome"] for n, v in tiny.items()} == {
        PLAIN: "published", WITH_MODULE: "published",
    }  # fmt: skip
    registry = lab.registry()
    for name, variant in tiny.items():
        digest = variant["reference"].partition("@")[2]
        assert registry.tags(name)["latest"] == digest
        assert registry.is_signed(name, digest)


def test_verify_agrees_and_refuses_another_identity(tiny_lab, tiny):
    reference = tiny[WITH_MODULE]["reference"]
    assert tiny_lab.product("verify", reference).returncode == 0
    other = "https://gitlab.com/mallory/os//.gitlab-ci.yml@refs/heads/main"
    refused = tiny_lab.product("verify", reference, "--certificate-identity", other)
    assert refused.returncode == OtherSignerError.exit_code


def test_the_module_is_compiled_for_the_kernel_that_the_base_keeps(tiny_night, plan):
    kernel = plan[WITH_MODULE]["kernel"]
    assert kernel["action"] == "keep"
    vermagic = inside(
        tiny_night, WITH_MODULE, "modinfo", "-k", kernel["chosen"], "-F", "vermagic", "metronome"
    )
    assert vermagic.split()[0] == kernel["chosen"]


def test_it_came_as_a_package_and_no_compiler_with_it(tiny_night):
    names = set(inside(tiny_night, WITH_MODULE, "rpm", "-qa", "--qf", "%{NAME}\n").split())
    assert {"kmod-metronome-prebuilt", "metronome", "kernel-core", "dnf", "rpm"} <= names
    assert not {"dkms", "gcc", "make", "kernel-devel", "metronome-dkms"} & names
    inside(tiny_night, WITH_MODULE, "rpm", "--verify", "kmod-metronome-prebuilt")
    plain = inside(tiny_night, PLAIN, "rpm", "-qa", "--qf", "%{NAME}\n").split()
    assert names - set(plain) == {"kmod-metronome-prebuilt", "metronome"}


@pytest.mark.parametrize("module", ["ext4", "overlay", "sd_mod", "virtio_blk", "virtio_net"])
def test_what_its_cut_kernel_has_can_be_loaded(tiny_night, plan, module):
    kernel = plan[PLAIN]["kernel"]["chosen"]
    argv = ("modprobe", "--set-version", kernel, "--show-depends", module)
    assert f"/{module}.ko" in inside(tiny_night, PLAIN, *argv)


def test_no_module_of_its_cut_kernel_needs_one_that_was_cut(tiny_night):
    listed = (
        "modinfo $(find /usr/lib/modules -name '*.ko*') | grep --extended-regexp '^(name|depends):'"
    )
    lines = [line.split() for line in inside(tiny_night, PLAIN, "bash", "-c", listed).splitlines()]
    there = {words[1] for words in lines if words[0] == "name:"}
    needed = {name for words in lines if words[0] == "depends:" for name in words[1:]}
    assert len(there) > 100
    wanted = {name.replace("-", "_") for entry in needed for name in entry.split(",")}
    assert wanted - there == set()


def test_what_a_package_leaves_out_reaches_hosts_all_the_same(tiny_night):
    """The metronome has a folder in /var and a user, and neither tmpfiles.d nor sysusers.d."""
    var = inside(tiny_night, WITH_MODULE, "cat", "/usr/lib/tmpfiles.d/zz-immutable-base-var.conf")
    assert "d /var/lib/metronome 0755 root root - -" in var.splitlines()
    accounts = inside(
        tiny_night, WITH_MODULE, "cat", "/usr/lib/sysusers.d/zz-immutable-base-accounts.conf"
    )
    assert "g metronome 345" in accounts.splitlines()
    assert (
        'u metronome 345 "The metronome" /var/lib/metronome /usr/sbin/nologin'
        in accounts.splitlines()
    )
    plain = inside(tiny_night, PLAIN, "ls", "/usr/lib/sysusers.d")
    assert "zz-immutable-base-accounts.conf" not in plain.split(), "nothing there needs it"


def failed(scenarios, name):
    """Run a scenario in which the variant with a module fails; return its row and the exit code."""
    done = scenarios.run(name)
    rows = {it["name"]: it for it in json.loads(done.stdout)["variants"]}
    assert rows[WITH_MODULE]["outcome"] == "failed"
    assert rows[WITH_MODULE]["exit_code"] == done.returncode != 0
    assert "Traceback" not in done.stderr
    return rows


@pytest.fixture(scope="module")
def tags_before(lab, tiny) -> dict:
    """The shared run published both."""
    return {name: lab.registry().tags(name) for name in (PLAIN, WITH_MODULE)}


@pytest.fixture(scope="module")
def held(scenarios, tags_before):
    """Neither this kernel nor another has kernel-devel: nothing fits the module."""
    return scenarios.run("held")


def test_held_is_no_failure_and_says_what_would_release_it(held):
    rows = {it["name"]: it for it in json.loads(held.stdout)["variants"]}
    assert held.returncode == 0, held.stderr[-3000:]
    assert {n: (it["outcome"], it["exit_code"]) for n, it in rows.items()} == {
        PLAIN: ("published", 0), WITH_MODULE: ("held", 0),
    }  # fmt: skip
    row = rows[WITH_MODULE]
    assert (row["error"], row["kernel"]) == (None, None)
    assert not row["unchanged"], "nothing was compared with what is published"
    for words in ("held: no kernel", "fits metronome", "released by: kernel-devel for "):
        assert words in row["reason"]


def test_nothing_is_built_of_what_is_held(scenarios, held):
    report = json.loads(held.stdout)
    row = next(it for it in report["variants"] if it["name"] == WITH_MODULE)
    assert (row["reference"], row["tags"], row["size"]) == (None, [], 0)
    nodes = [node["id"] for node in report["nodes"]]
    assert f"publish:{PLAIN}" in nodes
    assert [node for node in nodes if WITH_MODULE in node or node.startswith("module:")] == []
    storage = buildah.Storage(run, scenarios.workspace("held") / "storage")
    names = [name for image in buildah.images(storage) for name in image.names]
    assert any(f"/{PLAIN}:" in name for name in names)
    assert not any(f"/{WITH_MODULE}:" in name for name in names)


def test_what_is_published_of_what_is_held_stays(lab, held, tags_before):
    assert {name: lab.registry().tags(name) for name in tags_before} == tags_before


NEWER = (
    "held: the base image is newer than the repositories: pendulum 0.2-1 is installed, "
    "tiny-modules offers 0.1-1"
)


@pytest.mark.parametrize(
    ("name", "held_by", "released_by"),
    [
        ("key-not-pinned", "held: the key `tiny-modules` is not pinned", "a pin of tiny-modules"),
        ("base-newer-than-repositories", NEWER, "repositories that have pendulum 0.2-1 or newer"),
    ],
)
def test_what_only_others_can_change_holds_the_variant_with_the_module_alone(
    scenarios, tiny, name, held_by, released_by
):
    done = scenarios.run(name)
    rows = {it["name"]: it for it in json.loads(done.stdout)["variants"]}
    assert done.returncode == 0, done.stderr[-3000:]
    assert {n: it["outcome"] for n, it in rows.items()} == {
        PLAIN: "published", WITH_MODULE: "held",
    }  # fmt: skip
    assert held_by in rows[WITH_MODULE]["reason"]
    assert f"released by: {released_by}" in rows[WITH_MODULE]["reason"]


def test_a_module_that_does_not_compile_fails_with_the_compilers_words(scenarios, tiny):
    rows = failed(scenarios, "module-does-not-compile")
    assert rows[PLAIN]["outcome"] == "published"
    assert "init_timer" in rows[WITH_MODULE]["error"]


def test_a_repository_that_does_not_answer_fails_who_needs_it(scenarios, tiny):
    rows = failed(scenarios, "repository-down")
    assert rows[PLAIN]["outcome"] == "published"
    assert "tiny-modules" in rows[WITH_MODULE]["error"] + rows[WITH_MODULE]["reason"]


@pytest.mark.alone
def test_without_a_transparency_log_nothing_is_published(scenarios, lab):
    before = {name: lab.registry().tags(name) for name in (PLAIN, WITH_MODULE)}
    rows = failed(scenarios, "transparency-log-down")
    assert rows[PLAIN]["outcome"] == "failed"
    assert {name: lab.registry().tags(name) for name in before} == before
