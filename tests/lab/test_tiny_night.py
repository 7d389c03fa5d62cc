"""A night in a minute: two variants on the tiny stream."""

from __future__ import annotations

import json

import pytest

from immutable_base.build.graph import image_tag
from immutable_base.errors import OtherSignerError
from immutable_base.image.program import mounted_image
from immutable_base.process import run
from immutable_base.tools import buildah, bwrap

PLAIN, WITH_MODULE = "tiny", "tiny-metronome"


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


def test_both_variants_are_published_and_signed(tiny_lab, tiny):
    assert {n: v["outcome"] for n, v in tiny.items()} == {
        PLAIN: "published", WITH_MODULE: "published",
    }  # fmt: skip
    registry = tiny_lab.registry()
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
