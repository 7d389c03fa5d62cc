"""A night in a minute: two variants on the tiny stream, and what its faults make of them."""

from __future__ import annotations

import json
from dataclasses import dataclass

import pytest

from immutable_base.build.graph import image_tag
from immutable_base.image.program import mounted_image
from immutable_base.process import run
from immutable_base.tools import buildah, bwrap
from support.scenario_runs import ScenarioRuns, scenario_runs

PLAIN, WITH_MODULE = "tiny", "tiny-metronome"


@pytest.fixture(scope="module")
def scenarios(lab) -> ScenarioRuns:
    """Sets up scenarios in the lab that all tests share, and leaves every service running."""
    with scenario_runs(lab) as runs:
        yield runs


@dataclass
class TinyNight:
    """A run that ended, with the variants by name."""

    code: int
    variants: dict
    plan: dict


@pytest.fixture(scope="module")
def tiny(scenarios) -> TinyNight:
    done = scenarios.run("tiny")
    assert done.returncode == 0, done.stderr[-3000:]
    report = json.loads(done.stdout)
    print(f"a night on the tiny stream: {report['seconds']} s")
    plan = json.loads((scenarios.workspace("tiny") / "tonight/plan.json").read_text())
    return TinyNight(
        done.returncode,
        {it["name"]: it for it in report["variants"]},
        {it["name"]: it for it in plan["variants"]},
    )


def inside(scenarios, variant, *argv):
    storage = buildah.Storage(run, scenarios.workspace("tiny") / "storage")
    with mounted_image(storage, image_tag(variant)) as mounted:
        return bwrap.run_in_root(run, mounted.root, argv).text


def test_both_variants_are_published_and_signed(lab, tiny):
    assert {n: v["outcome"] for n, v in tiny.variants.items()} == {
        PLAIN: "published", WITH_MODULE: "published",
    }  # fmt: skip
    registry = lab.registry()
    for name, variant in tiny.variants.items():
        digest = variant["reference"].partition("@")[2]
        assert registry.tags(name)["latest"] == digest
        assert registry.is_signed(name, digest)


def test_verify_agrees_and_refuses_another_identity(scenarios, tiny):
    reference = tiny.variants[WITH_MODULE]["reference"]
    assert scenarios.product("tiny", "verify", reference).returncode == 0
    other = "https://gitlab.com/mallory/os//.gitlab-ci.yml@refs/heads/main"
    refused = scenarios.product("tiny", "verify", reference, "--certificate-identity", other)
    assert refused.returncode == 12


def test_the_module_is_compiled_for_the_kernel_that_the_base_keeps(scenarios, tiny):
    kernel = tiny.plan[WITH_MODULE]["kernel"]
    assert kernel["action"] == "keep"
    vermagic = inside(
        scenarios, WITH_MODULE, "modinfo", "-k", kernel["chosen"], "-F", "vermagic", "metronome"
    )
    assert vermagic.split()[0] == kernel["chosen"]


def test_it_came_as_a_package_and_no_compiler_with_it(scenarios, tiny):
    names = set(inside(scenarios, WITH_MODULE, "rpm", "-qa", "--qf", "%{NAME}\n").split())
    assert {"kmod-metronome-prebuilt", "metronome", "kernel-core", "dnf", "rpm"} <= names
    assert not {"dkms", "gcc", "make", "kernel-devel", "metronome-dkms"} & names
    inside(scenarios, WITH_MODULE, "rpm", "--verify", "kmod-metronome-prebuilt")
    plain = inside(scenarios, PLAIN, "rpm", "-qa", "--qf", "%{NAME}\n").split()
    assert names - set(plain) == {"kmod-metronome-prebuilt", "metronome"}


@pytest.mark.parametrize("module", ["ext4", "overlay", "sd_mod", "virtio_blk", "virtio_net"])
def test_what_its_cut_kernel_has_can_be_loaded(scenarios, tiny, module):
    kernel = tiny.plan[PLAIN]["kernel"]["chosen"]
    argv = ("modprobe", "--set-version", kernel, "--show-depends", module)
    assert f"/{module}.ko" in inside(scenarios, PLAIN, *argv)


def test_no_module_of_its_cut_kernel_needs_one_that_was_cut(scenarios, tiny):
    listed = (
        "modinfo $(find /usr/lib/modules -name '*.ko*') | grep --extended-regexp '^(name|depends):'"
    )
    lines = [line.split() for line in inside(scenarios, PLAIN, "bash", "-c", listed).splitlines()]
    there = {words[1] for words in lines if words[0] == "name:"}
    needed = {name for words in lines if words[0] == "depends:" for name in words[1:]}
    assert len(there) > 100
    wanted = {name.replace("-", "_") for entry in needed for name in entry.split(",")}
    assert wanted - there == set()


def failed(scenarios, name):
    """Run a scenario in which the variant with a module fails; return its row and the exit code."""
    done = scenarios.run(name)
    rows = {it["name"]: it for it in json.loads(done.stdout)["variants"]}
    assert rows[WITH_MODULE]["outcome"] == "failed"
    assert rows[WITH_MODULE]["exit_code"] == done.returncode != 0
    assert "Traceback" not in done.stderr
    return rows


def test_held_without_headers(scenarios, tiny, lab):
    before = lab.registry().tags(WITH_MODULE)
    done = scenarios.run("held")
    rows = {it["name"]: it for it in json.loads(done.stdout)["variants"]}
    assert {n: it["outcome"] for n, it in rows.items()} == {PLAIN: "published", WITH_MODULE: "held"}
    assert done.returncode == 0
    assert "kernel-devel for" in rows[WITH_MODULE]["reason"]
    assert lab.registry().tags(WITH_MODULE) == before


def test_a_module_that_does_not_compile_fails_with_the_compilers_words(scenarios, tiny):
    rows = failed(scenarios, "module-does-not-compile")
    assert rows[PLAIN]["outcome"] == "published"
    assert "init_timer" in rows[WITH_MODULE]["error"]


def test_a_repository_that_does_not_answer_fails_who_needs_it(scenarios, tiny):
    rows = failed(scenarios, "repository-down")
    assert rows[PLAIN]["outcome"] == "published"
    assert "tiny-modules" in rows[WITH_MODULE]["error"] + rows[WITH_MODULE]["reason"]


def test_without_a_transparency_log_nothing_is_published(scenarios, tiny, lab):
    before = {name: lab.registry().tags(name) for name in (PLAIN, WITH_MODULE)}
    rows = failed(scenarios, "transparency-log-down")
    assert rows[PLAIN]["outcome"] == "failed"
    assert {name: lab.registry().tags(name) for name in before} == before


def test_what_a_package_leaves_out_reaches_hosts_all_the_same(scenarios, tiny):
    """The metronome has a folder in /var and a user, and neither tmpfiles.d nor sysusers.d."""
    var = inside(scenarios, WITH_MODULE, "cat", "/usr/lib/tmpfiles.d/zz-immutable-base-var.conf")
    assert "d /var/lib/metronome 0755 root root - -" in var.splitlines()
    accounts = inside(
        scenarios, WITH_MODULE, "cat", "/usr/lib/sysusers.d/zz-immutable-base-accounts.conf"
    )
    assert "g metronome 345" in accounts.splitlines()
    assert (
        'u metronome 345 "The metronome" /var/lib/metronome /usr/sbin/nologin'
        in accounts.splitlines()
    )
    plain = inside(scenarios, PLAIN, "cat", "/usr/lib/sysusers.d/zz-immutable-base-accounts.conf")
    assert "metronome" not in plain
